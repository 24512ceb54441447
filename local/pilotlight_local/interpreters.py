"""The Pythons of this machine: on the PATH, and where uv and pyenv keep theirs.

`pythons` gives each an environment of its own and functions the one that they ask for.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["find_interpreter"]

ASKING_SECONDS = 10
ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"


def find_interpreter(version: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return an interpreter of a version such as `3.13`; None where there is none that starts."""
    found = (_ask(candidate, version) for candidate in _candidates(version, environment))
    return next((path for path in found if path is not None), None)


def _candidates(version: str, environment: Mapping[str, str]) -> Iterator[Path]:
    name = f"python{version}"
    for folder in environment.get("PATH", "").split(os.pathsep):
        yield Path(folder, name)
    home = Path(environment.get("HOME", "/"))
    data = environment.get("XDG_DATA_HOME") or home / ".local/share"
    uv = Path(environment.get("UV_PYTHON_INSTALL_DIR") or Path(data, "uv/python"))
    pyenv = Path(environment.get("PYENV_ROOT") or home / ".pyenv", "versions")
    for installed in (uv.glob(f"cpython-{version}.*"), pyenv.glob(f"{version}.*")):
        yield from (folder / "bin" / name for folder in sorted(installed, reverse=True))


def _ask(candidate: Path, version: str) -> Path | None:
    """Have an interpreter say what it is: what is on the PATH may be a shim of nothing."""
    if not os.access(candidate, os.X_OK):
        return None
    try:
        said = subprocess.run(  # noqa: S603  a Python of the person's own
            [candidate, "-I", "-c", ASK],
            capture_output=True, check=True, text=True, timeout=ASKING_SECONDS,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    found, _, path = said.strip().partition(" ")
    return Path(path) if found == version and path else None
