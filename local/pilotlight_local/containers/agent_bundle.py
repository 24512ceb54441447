"""The agent as any image can have it beside it, made once of this machine's Python.

`pilotlight_agent.bundle` says what is in it. It is kept below the person's cache folder, and made
anew for another Python or another agent.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from pilotlight.errors import StartFailedError

from ..environments import why

__all__ = ["AgentBundle"]

MAKING_SECONDS = 180
PACKAGES = ("pilotlight_agent", "pilotlight_wire")


class AgentBundle:
    """Where the files are, which `find` makes where they are not."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._folder: Path | None = None
        self._making = asyncio.Lock()

    async def find(self) -> Path:
        """Return the folder; raises StartFailedError where it cannot be made."""
        async with self._making:
            if self._folder is None:
                self._folder = await asyncio.to_thread(_find_or_make, self._cache)
        return self._folder


def _find_or_make(cache: Path) -> Path:
    folder = cache / f"agent-{_digest()}"
    try:
        if not folder.exists():
            _make(folder)
    except (OSError, subprocess.SubprocessError) as error:
        message = f"the agent for container images cannot be made: {why(error)}"
        raise StartFailedError(message, reason="InternalError") from error
    return folder


def _make(folder: Path) -> None:
    """Make the files aside and put them in their place whole, readable for any user."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        made = Path(aside, "made")
        subprocess.run(  # noqa: S603  the platform's own interpreter
            [sys.executable, "-m", "pilotlight_agent.bundle", made],
            capture_output=True, check=True, text=True, timeout=MAKING_SECONDS,
        )  # fmt: skip
        for path in (made, *made.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent != made else 0o644)
        if not folder.exists():
            made.rename(folder)


def _digest() -> str:
    """Return what tells these files from those of another Python or another agent."""
    digest = hashlib.sha256(f"{sys.version}\n{Path(sys.executable).resolve()}".encode())
    for package in PACKAGES:
        found = find_spec(package)
        if found is None or found.origin is None:
            raise FileNotFoundError(f"{package} is not installed")
        for path in sorted(Path(found.origin).parent.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
