"""Deployment packages from a folder or a file: the same files, the same bytes, the same sha256.

`deploy` sends them through the Lambda API, `manifests` to the artifact store; an unchanged hash
means that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .failures import USAGE, Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["Package", "package_of"]

SKIPPED_FOLDERS = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".venv", ".pilotlight", ".mypy_cache", ".ruff_cache"}
)
SKIPPED_SUFFIXES = (".pyc", ".pyo", ".swp", "~")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can hold."""
_REGULAR_FILE = 0o100000


@dataclass(frozen=True, slots=True)
class Package:
    """A zip and its address."""

    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The sha256 of the bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def package_of(source: Path, *, without: Collection[Path] = ()) -> Package:
    """Zip a folder's files or one file; a `.zip` is taken as it is.

    Caches, version control and the files `without` stay out. Raises Failure where there is
    nothing to zip.
    """
    if source.suffix == ".zip" and source.is_file():
        return Package(source.read_bytes())
    if source.is_file():
        return Package(_zip({source.name: source}))
    if not source.is_dir():
        raise Failure(f"{source}: no such file or folder", USAGE)
    files = {
        path.relative_to(source).as_posix(): path
        for path in files_of(source)
        if path not in without
    }
    if not files:
        raise Failure(f"{source}: the folder holds no file to deploy", USAGE)
    return Package(_zip(files))


def files_of(folder: Path) -> Iterator[Path]:
    """Give the files of a folder that belong into a package, or that manifests may be in."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        for name in sorted(names):
            if not name.endswith(SKIPPED_SUFFIXES):
                yield folder / parent / name


def _zip(files: dict[str, Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            package.writestr(_entry(name, files[name]), files[name].read_bytes())
    return content.getvalue()


def _entry(name: str, path: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix: what follows is a mode
    mode = 0o755 if os.access(path, os.X_OK) else 0o644
    entry.external_attr = (_REGULAR_FILE | mode) << 16
    return entry
