"""Servers for tests that Debian's packages bring."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

__all__ = ["program_of"]


def program_of(package: str, path: str) -> str:
    """Return the path of a package's program; without it a test is skipped, unless in CI."""
    found = path if Path(path).exists() else shutil.which(path)
    if found is None:
        message = f"{path} is missing: apt-get install {package}"
        if os.environ.get("CI"):
            raise FileNotFoundError(message)
        pytest.skip(message)
    return found
