"""Which Java runs the functions of local mode: the nearest that is not older than they ask for.

One of `JAVA_HOME`, the PATH or where Debian keeps them. Around it `pilotlight_java` lays AWS's
runtime client, on first use below the person's cache folder, for which Maven is needed once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pilotlight_java
from pilotlight.errors import StartFailedError

from .environments import Interpreter, said_by, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Javas"]

PAUSE_SECONDS = 30.0
"""After a failure to fetch the client: every start would wait for the next one."""
DEBIAN = Path("/usr/lib/jvm")
_RUNTIME = re.compile(r"java(\d+)(\.al\d+)?")
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


class Javas:
    """The Java of functions, by runtime; each is looked for, and laid out, once."""

    def __init__(
        self,
        cache: Path,
        tell: Callable[[str], None],
        *,
        environment: Mapping[str, str] = os.environ,
        installed: Path = DEBIAN,
    ) -> None:
        """Keep what is made in `cache`; `installed` has a folder for each Java."""
        self._cache = cache
        self._tell = tell
        self._environment = environment
        self._installed = installed
        self._found: dict[str, Interpreter] = {}
        self._failed: tuple[float, str] = 0.0, ""
        """Until when nothing is tried again, and why."""
        self._making = threading.Lock()

    def find(self, runtime: str) -> Interpreter:
        """Return what runs a runtime's functions; blocks, for seconds where it has to be made.

        Raises StartFailedError where there is none and none can be made.
        """
        match = _RUNTIME.fullmatch(runtime)
        if match is None:
            raise ValueError(f"{runtime!r} came, java21 or its like is expected")
        with self._making:
            if runtime not in self._found:
                self._found[runtime] = self._find(runtime, int(match[1]))
            return self._found[runtime]

    def _find(self, runtime: str, wanted: int) -> Interpreter:
        known = {path.resolve(): _version_of(path) for path in self._candidates()}
        fit = [(version, path) for path, version in known.items() if version >= wanted]
        if not fit:
            there = sorted({str(version) for version in known.values() if version})
            raise _unavailable(
                runtime,
                f"no Java of version {wanted} or newer in JAVA_HOME, on the PATH or in "
                f"{self._installed}" + (f", only {', '.join(there)}" if there else ""),
            )
        version, java = min(fit)
        if version != wanted:
            self._tell(f"{runtime}: its functions run with Java {version}, the nearest: {java}")
        return Interpreter(self._laid_out(runtime, java), str(version))

    def _candidates(self) -> Iterator[Path]:
        home = self._environment.get("JAVA_HOME")
        folders = [Path(home, "bin")] if home else []
        folders += map(Path, filter(None, self._environment.get("PATH", "").split(os.pathsep)))
        folders += sorted(self._installed.glob("*/bin"))
        yield from (folder / "java" for folder in folders if os.access(folder / "java", os.X_OK))

    def _laid_out(self, runtime: str, java: Path) -> Path:
        """Return the Java of a folder with the client around it, which is made if it is not there.

        Its files name each other, so it is made in its place; what is written last tells that it is
        whole.
        """
        made_of = (files(pilotlight_java) / name for name in ("pom.xml", "Waiting.java"))
        parts = (bytes(java), *(part.read_bytes() for part in made_of))
        digest = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
        folder = self._cache / f"java-{digest}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "lib" / "options").exists():
                self._lay_out(runtime, java, folder)
        return folder / "bin" / "java"

    def _lay_out(self, runtime: str, java: Path, folder: Path) -> None:
        until, reason = self._failed
        if time.monotonic() < until:
            raise _unavailable(runtime, reason)
        self._tell(f"fetching AWS's Java runtime client with Maven, once: {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            pilotlight_java.make(java, folder)
        except (OSError, subprocess.SubprocessError) as error:
            self._failed = time.monotonic() + PAUSE_SECONDS, why(error)
            raise _unavailable(runtime, why(error)) from error


def _unavailable(runtime: str, reason: str) -> StartFailedError:
    return StartFailedError(f"nothing here runs {runtime}: {reason}", reason="InvalidRuntime")


def _version_of(java: Path) -> int:
    """Have a Java say its major version; 0 where it does not start."""
    match = _VERSION.search(said_by(java, "-version"))
    return int(match[1]) if match else 0
