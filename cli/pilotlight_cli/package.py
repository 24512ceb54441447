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
from .files import files_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["Package", "package_of"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can hold."""
_REGULAR_FILE = 0o100000


@dataclass(frozen=True, slots=True)
class Package:
    """A zip and its address."""

    content: bytes = field(repr=False)
    left_out: dict[str, str] = field(default_factory=dict, compare=False)
    """Why an entry of the folder is not in it, by its path there."""

    @property
    def sha256(self) -> str:
        """The sha256 of the bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def package_of(source: Path, *, without: Collection[Path] = ()) -> Package:
    """Zip a folder's files or one file; a `.zip` is taken as it is.

    Caches, version control and the files `without` stay out; what cannot be zipped is named in the
    package. Raises Failure where there is nothing to zip.
    """
    if not source.exists():
        raise Failure(f"{source}: no such file or folder", USAGE)
    if source.is_dir():
        return _package_of_folder(source.resolve(), {path.resolve() for path in without})
    content = _read(source)
    if content is None:
        raise Failure(f"{source}: it went while it was read", USAGE)
    if source.suffix == ".zip":
        return Package(content)
    return Package(_zip({source.name: (source, content)}))


def _package_of_folder(folder: Path, without: Collection[Path]) -> Package:
    found = files_of(folder)
    files = {
        name: (path, content)
        for name, path in found.kept.items()
        if path.resolve() not in without and (content := _read(path)) is not None
    }
    if not files:
        raise Failure(f"{folder}: the folder holds no file to deploy", USAGE)
    return Package(_zip(files), found.left_out)


def _read(path: Path) -> bytes | None:
    """Read a file; None where it went since it was found, as editors' files do."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", USAGE) from error


def _zip(files: dict[str, tuple[Path, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        for name, (path, data) in sorted(files.items()):
            package.writestr(_entry(name, path), data)
    return content.getvalue()


def _entry(name: str, path: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix: what follows is a mode
    mode = 0o755 if os.access(path, os.X_OK) else 0o644
    entry.external_attr = (_REGULAR_FILE | mode) << 16
    return entry
