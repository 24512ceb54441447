"""Which Python runs the managed Python functions of local mode: the one that they ask for.

Each version has an environment of its own, with boto3 as on Lambda and without the platform's
packages. `make setup` puts one beside the platform's; others are made on first use, below the
person's cache folder, of the interpreters that `interpreters` finds. Where that cannot be, the
nearest that is there serves, and the console says so once.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.runtimes import OWN_PYTHON

from .interpreters import find_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["FunctionsPython", "Pythons", "cache_folder"]

MAKING_SECONDS = 180
REQUIREMENTS = "requirements.txt"
_VERSION = re.compile(r"python(3\.\d+)")
_OLDEST_AGENT = 11
"""The minor version that the agent itself needs."""


@dataclass(frozen=True, slots=True)
class FunctionsPython:
    """An interpreter, and whether the platform's packages can be seen from it."""

    path: Path
    version: str
    """Such as 3.13."""
    shared: bool = False

    @property
    def minor(self) -> int:
        """The second number of the version."""
        return int(self.version.partition(".")[2])

    @property
    def runs_agent(self) -> bool:
        """Whether an agent may run on it, and so prepare it for functions."""
        return self.minor >= _OLDEST_AGENT


class Pythons:
    """The Pythons of functions, by runtime; each is looked for, and made, once."""

    def __init__(
        self, cache: Path, tell: Callable[[str], None], *, prefix: Path | None = None
    ) -> None:
        """Keep environments in `cache`; `prefix` is the platform's own, with `functions` in it."""
        self._cache = cache
        self._tell = tell
        self._prefix = prefix or Path(sys.prefix)
        self._found: dict[str, FunctionsPython] = {}
        self._making = threading.Lock()

    @property
    def own(self) -> FunctionsPython:
        """Of the version that runs the platform, with an environment of its own if it has one."""
        version = OWN_PYTHON.removeprefix("python")
        python = self._prefix / "functions" / "bin" / "python"
        if python.exists():
            return FunctionsPython(python, version)
        return FunctionsPython(Path(sys.executable), version, shared=True)

    def find(self, runtime: str) -> FunctionsPython:
        """Return what runs a runtime's functions; blocks, for seconds where it has to be made."""
        match = _VERSION.fullmatch(runtime)
        if match is None:
            return self.own  # functions that bring a runtime need none
        with self._making:
            if runtime not in self._found:
                self._found[runtime] = self._find(match[1])
            return self._found[runtime]

    def _find(self, version: str) -> FunctionsPython:
        own = self.own
        if version == own.version and not own.shared:
            return own
        interpreter = own.path if version == own.version else find_interpreter(version)
        if interpreter is None:
            return self._nearest(version, f"no python{version} on the PATH, of uv or of pyenv")
        try:
            return FunctionsPython(self._environment(version, interpreter), version)
        except (OSError, subprocess.SubprocessError) as error:
            return self._nearest(version, f"python{version} got no environment: {_why(error)}")

    def _environment(self, version: str, interpreter: Path) -> Path:
        """Return the Python of an interpreter's environment, which is made where it is not there.

        Raises OSError and SubprocessError.
        """
        with _requirements() as requirements:
            wanted = f"{interpreter}\n{requirements.read_text()}"
            digest = hashlib.sha256(wanted.encode()).hexdigest()[:12]
            folder = self._cache / f"python{version}-{digest}"
            if not folder.exists():
                self._tell(f"making an environment with boto3 for python{version}, once: {folder}")
                _make(interpreter, folder, requirements)
        return folder / "bin" / "python"

    def _nearest(self, version: str, why: str) -> FunctionsPython:
        minor = int(version.partition(".")[2])
        near = min(self._there(), key=lambda python: (abs(python.minor - minor), python.shared))
        self._tell(f"{why}; its functions run with {near.version}, the nearest: {near.path}")
        return near

    def _there(self) -> Iterator[FunctionsPython]:
        yield self.own
        for folder in self._cache.glob("python3.*-*"):
            yield FunctionsPython(
                folder / "bin" / "python", folder.name.removeprefix("python").partition("-")[0]
            )


def cache_folder() -> Path:
    """Return where environments are kept for all platforms of this person."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches, "pilotlight", "environments")


def _requirements() -> AbstractContextManager[Path]:
    """Lend the file that says what functions find beside the standard library."""
    return as_file(files("pilotlight_python") / REQUIREMENTS)


def _make(interpreter: Path, folder: Path, requirements: Path) -> None:
    """Make an environment aside and put it in its place whole, whoever else makes it too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        made = Path(aside, "made")
        _run(str(interpreter), "-m", "venv", "--without-pip", str(made))
        _install(interpreter, made / "bin" / "python", requirements)
        if not folder.exists():
            made.rename(folder)


def _install(interpreter: Path, python: Path, requirements: Path) -> None:
    """Install with the first that can: uv, the platform's own pip, the interpreter's."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    installers = [[uv, "pip", "install", "--python", str(python)]] if uv else []
    installers += [
        [pip, "-m", "pip", "--python", str(python), "install"]
        for pip in (sys.executable, str(interpreter))
    ]
    for number, installer in enumerate(installers, start=1):
        try:
            _run(*installer, "--quiet", "--requirement", str(requirements))
        except (OSError, subprocess.SubprocessError):
            if number == len(installers):
                raise
        else:
            return


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True, text=True, timeout=MAKING_SECONDS)  # noqa: S603  of this machine's Pythons


def _why(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    return str(said).strip().splitlines()[-1] if said else str(error)
