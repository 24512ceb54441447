"""Servers in JavaScript for tests, from the npm registry."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from .fetching import CACHE, kept

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["package_of"]

SECONDS = 300.0


def package_of(name: str, version: str) -> Path:
    """Return the folder of a package."""
    folder = CACHE / "npm" / f"{name}-{version}"
    return kept(folder, lambda where: _fetch(where, f"{name}@{version}")) / "node_modules" / name


def _fetch(folder: Path, package: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("no npm here: Node.js 20 is expected")
    folder.mkdir()
    subprocess.run(
        [
            npm, "install", "--no-audit", "--no-fund", "--ignore-scripts",
            "--prefix", folder, package,
        ],
        check=True, timeout=SECONDS, stdout=subprocess.DEVNULL,
    )  # fmt: skip
