"""A folder of the runtime: Maven copies the client's jars, the rest is made of them once."""

import os
import platform
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from .archive import archive_classes

__all__ = ["make"]

SECONDS = 300.0
MAIN = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
WAITING = "waiting.jar"
NATIVE = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI"
LIBRARY = "jni/libaws-lambda-jni.linux-{}.so"
MACHINES = {"aarch64": "aarch_64"}
"""What the client calls a machine that it calls otherwise."""
OPTIONS = (
    "-Xshare:auto",
    "-Xlog:cds=off",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.net.preferIPv4Stack=true",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
)
"""As Lambda starts Java: one thread collects, the quick compiler compiles."""
SINCE = {23: "--sun-misc-unsafe-memory-access=allow", 24: "--illegal-native-access=allow"}
"""What a version and its successors need to say nothing of what the client does."""


def make(java: Path, folder: Path) -> None:
    """Make an empty folder one of the runtime that a Java runs.

    Raises OSError and SubprocessError.
    """
    library = folder / "lib"
    library.mkdir(parents=True, exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "java").symlink_to(java)
    _copy_jars(library)
    _compile_waiting(java, library)
    options = (*_options(_version(java)), f"-D{NATIVE}={next(library.glob('*.so'))}")
    archive = library / "classes.jsa"
    jars = os.pathsep.join(map(str, sorted(library.glob("*.jar"))))
    dump = [*options, f"-XX:ArchiveClassesAtExit={archive}", "-classpath", jars, MAIN]
    archive_classes([str(java), *dump])
    text = "\n".join((*options, f"-XX:SharedArchiveFile={archive}"))
    (library / "options").write_text(f"{text}\n")


def _compile_waiting(java: Path, library: Path) -> None:
    """Make the jar of what waits for a function, where a compiler is beside the Java.

    Where none is, nothing waits: functions are as good, and start later.
    """
    compiler = java.resolve().with_name("javac")
    if not compiler.exists():
        return
    jars = os.pathsep.join(map(str, sorted(library.glob("*.jar"))))
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run(  # noqa: S603 -- the compiler of the Java that is to run the runtime
            [
                *(compiler, "-nowarn", "-XDignore.symbol.file", "-classpath", jars),
                *("-d", classes, Path(__file__).with_name("Waiting.java")),
            ],
            capture_output=True, check=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        with zipfile.ZipFile(library / WAITING, "w") as jar:
            for file in sorted(Path(classes).rglob("*.class")):
                jar.write(file, file.relative_to(classes))


def _version(java: Path) -> int:
    """Return the major version of a Java, such as 21."""
    said = subprocess.run(  # noqa: S603 -- the Java that is to run the runtime
        [java, "-version"], capture_output=True, check=True, text=True, timeout=SECONDS
    )
    return int(said.stderr.partition('"')[2].partition('"')[0].partition(".")[0])


def _options(version: int) -> tuple[str, ...]:
    return OPTIONS + tuple(option for since, option in SINCE.items() if version >= since)


def _copy_jars(library: Path) -> None:
    """Have Maven copy the jars, and take the native library out of its own.

    The client would unpack it at each start, into /tmp, which is the function's.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise FileNotFoundError("mvn, Apache Maven, is needed once, and not on the PATH")
    copied = subprocess.run(  # noqa: S603 -- Maven, of the person's own
        [
            *(maven, "--batch-mode", "--quiet", "-f", Path(__file__).with_name("pom.xml")),
            *("dependency:copy-dependencies", f"-DoutputDirectory={library}"),
        ],
        capture_output=True, check=False, text=True, timeout=SECONDS,
    )  # fmt: skip
    if copied.returncode:
        said = (line for line in copied.stdout.splitlines() if "ERROR" in line)
        raise OSError(f"mvn: {next(said, copied.stderr)}")
    machine = platform.machine()
    name = LIBRARY.format(MACHINES.get(machine, machine))
    client = next(library.glob("aws-lambda-java-runtime-interface-client-*.jar"))
    with zipfile.ZipFile(client) as jar:
        (library / Path(name).name).write_bytes(jar.read(name))
