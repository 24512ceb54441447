"""Which Python runs the managed Python functions of local mode: the one that they ask for.

Each version has an environment of its own, with boto3 as on Lambda and without the platform's
packages. `make setup` puts one beside the platform's; others are made on first use, below the
person's cache folder, of the interpreters that `interpreters` finds. Where that cannot be, the
nearest that is there serves, and the console says so once.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.runtimes import OWN_PYTHON

from .environments import Interpreter, make_environment, why
from .interpreters import find_interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["Pythons"]

REQUIREMENTS = "requirements.txt"
_VERSION = re.compile(r"python(3\.\d+)")
_OLDEST_AGENT = 11
"""The minor version that the agent itself needs."""


class Pythons:
    """The Pythons of functions, by runtime; each is looked for, and made, once."""

    def __init__(
        self, cache: Path, tell: Callable[[str], None], *, prefix: Path | None = None
    ) -> None:
        """Keep environments in `cache`; `prefix` is the platform's own, with `functions` in it."""
        self._cache = cache
        self._tell = tell
        self._prefix = prefix or Path(sys.prefix)
        self._found: dict[str, Interpreter] = {}
        self._making = threading.Lock()

    @property
    def own(self) -> Interpreter:
        """Of the version that runs the platform, with an environment of its own if it has one."""
        version = OWN_PYTHON.removeprefix("python")
        python = self._prefix / "functions" / "bin" / "python"
        if python.exists():
            return _python(python, version)
        return _python(Path(sys.executable), version, shared=True)

    def find(self, runtime: str) -> Interpreter:
        """Return what runs a runtime's functions; blocks, for seconds where it has to be made."""
        match = _VERSION.fullmatch(runtime)
        if match is None:
            return self.own  # functions that bring a runtime need none
        with self._making:
            if runtime not in self._found:
                self._found[runtime] = self._find(match[1])
            return self._found[runtime]

    def _find(self, version: str) -> Interpreter:
        own = self.own
        if version == own.version and not own.shared:
            return own
        interpreter = own.path if version == own.version else find_interpreter(version)
        if interpreter is None:
            return self._nearest(version, f"no python{version} on the PATH, of uv or of pyenv")
        try:
            return _python(self._environment(version, interpreter), version)
        except (OSError, subprocess.SubprocessError) as error:
            return self._nearest(version, f"python{version} got no environment: {why(error)}")

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
                make_environment(interpreter, folder, "--requirement", str(requirements))
        return folder / "bin" / "python"

    def _nearest(self, version: str, why: str) -> Interpreter:
        minor = _minor(version)
        near = min(
            self._there(), key=lambda python: (abs(_minor(python.version) - minor), python.shared)
        )
        self._tell(f"{why}; its functions run with {near.version}, the nearest: {near.path}")
        return near

    def _there(self) -> Iterator[Interpreter]:
        yield self.own
        for folder in self._cache.glob("python3.*-*"):
            yield _python(
                folder / "bin" / "python", folder.name.removeprefix("python").partition("-")[0]
            )


def _python(path: Path, version: str, *, shared: bool = False) -> Interpreter:
    return Interpreter(path, version, shared, runs_agent=_minor(version) >= _OLDEST_AGENT)


def _minor(version: str) -> int:
    """Return 13 of 3.13."""
    return int(version.partition(".")[2])


def _requirements() -> AbstractContextManager[Path]:
    """Lend the file that says what functions find beside the standard library."""
    return as_file(files("pilotlight_python") / REQUIREMENTS)
