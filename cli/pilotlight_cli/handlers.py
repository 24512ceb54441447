"""Finds a new function's runtime and handler in its code, so that `deploy FOLDER` is enough.

Each runtime family says what is certain to be its own (`pilotlight.runtimes`).
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pilotlight.runtimes import FAMILIES, Handler, Sources

from .failures import USAGE, Failure
from .package import ARCHIVES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["find_handler"]


def find_handler(source: Path) -> Handler:
    """Look into a folder, a file or a zip; raises Failure that says which option is missing."""
    sources = _sources(source)
    for family in FAMILIES:
        found = family.find_handler(sources)
        if found is not None:
            return found
    wanted = filter(None, (family.looks_for(sources.only) for family in FAMILIES))
    raise Failure(
        f"{source}: no handler found; give --runtime and --handler "
        f"(looked for {', and for '.join(wanted)})",
        USAGE,
    )


def _sources(source: Path) -> Sources:
    """Read the files on the first level."""
    if source.suffix in ARCHIVES:
        with zipfile.ZipFile(source) as package:
            names = [name for name in package.namelist() if "/" not in name]
            return Sources({name: package.read(name) for name in names})
    files: Iterable[Path] = [source] if source.is_file() else source.iterdir()
    found = {file.name: file.read_bytes() for file in files if file.is_file()}
    return Sources(found, source.name if source.is_file() else None)
