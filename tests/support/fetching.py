"""What tests fetch once and keep in a cache folder, whichever process of the suite is first.

Without a network a test that needs it is skipped, unless it runs in CI.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CACHE", "kept"]

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pilotlight"


def kept(folder: Path, fetch: Callable[[Path], None]) -> Path:
    """Return a folder; where it is missing `fetch` fills another one, which then becomes it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "lock").open("w") as lock:  # tools' own caches are no place for two
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                partly = folder.with_name(f"{folder.name}.{os.getpid()}")
                fetch(partly)
                partly.rename(folder)
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{folder.name} cannot be fetched: {error}")
    return folder
