"""What is in a package."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight_cli.package import Package

__all__ = ["read_package"]


def read_package(package: Package) -> dict[str, str]:
    """Read its files, which are texts; whoever else reads zips finds nothing wrong with it."""
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode(errors="replace") for name in archive.namelist()}
