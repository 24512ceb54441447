"""Environments of functions' interpreters: virtual environments below the person's cache folder.

`pythons` and `nodes` say which there are and what each has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Interpreter", "cache_folder", "make_environment", "said_by", "why"]

MAKING_SECONDS = 180
ASKING_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What runs a runtime's functions, and whether the platform's packages can be seen from it."""

    path: Path
    version: str
    """Such as 3.13."""
    shared: bool = False
    runs_agent: bool = True
    """Whether an agent may prepare it for functions."""


def said_by(interpreter: Path, option: str) -> str:
    """Return what an interpreter says of itself; nothing where it does not start."""
    try:
        answer = subprocess.run(  # noqa: S603  of the person's own
            [interpreter, option],
            capture_output=True, check=True, text=True, timeout=ASKING_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout + answer.stderr


def cache_folder() -> Path:
    """Return where environments are kept for all platforms of this person."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches, "pilotlight", "environments")


def make_environment(python: Path, folder: Path, *what: str) -> None:
    """Make an environment aside and put it in its place whole, whoever else makes it too.

    `what` is to be in it, in the words of pip. Raises OSError and SubprocessError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        made = Path(aside, "made")
        _run(str(python), "-m", "venv", "--without-pip", str(made))
        _install(python, made / "bin" / "python", what)
        if not folder.exists():
            made.rename(folder)


def why(error: Exception) -> str:
    """Return the last line that a process said which failed, else the error itself."""
    said = getattr(error, "stderr", None)
    return str(said).strip().splitlines()[-1] if said else str(error)


def _install(interpreter: Path, python: Path, what: tuple[str, ...]) -> None:
    """Install with the first that can: uv, the platform's own pip, the interpreter's."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    installers = [[uv, "pip", "install", "--python", str(python)]] if uv else []
    installers += [
        [pip, "-m", "pip", "--python", str(python), "install"]
        for pip in (sys.executable, str(interpreter))
    ]
    for number, installer in enumerate(installers, start=1):
        try:
            _run(*installer, "--quiet", *what)
        except (OSError, subprocess.SubprocessError):
            if number == len(installers):
                raise
        else:
            return


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True, text=True, timeout=MAKING_SECONDS)  # noqa: S603  of this machine's Pythons
