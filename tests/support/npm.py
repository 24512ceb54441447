"""Servers in JavaScript for tests, from the npm registry; kept in a cache folder.

Without a network or Node a test that needs one is skipped, unless it runs in CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["package_of"]

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pilotlight" / "npm"
SECONDS = 300.0


def package_of(name: str, version: str) -> Path:
    """Return the folder of a package."""
    folder = CACHE / f"{name}-{version}"
    if not folder.exists():
        try:
            _fetch(folder, f"{name}@{version}")
        except (OSError, subprocess.SubprocessError) as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"{name} {version} cannot be fetched: {error}")
    return folder / "node_modules" / name


def _fetch(folder: Path, package: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("no npm here: Node.js 20 is expected")
    partly = folder.with_name(f"{folder.name}.{os.getpid()}")
    partly.mkdir(parents=True)
    subprocess.run(
        [
            npm, "install", "--no-audit", "--no-fund", "--ignore-scripts",
            "--prefix", partly, package,
        ],
        check=True, timeout=SECONDS, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    partly.rename(folder)
