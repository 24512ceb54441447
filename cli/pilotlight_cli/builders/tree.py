"""Files of a project, or of what a tool made: digested, copied, packed, by the rules of `files`."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..archive import entry_of
from ..failures import USAGE, Failure
from ..files import files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..archive import Entry

__all__ = ["copy", "digest", "pack"]

_EXECUTABLE, _PLAIN = 0o755, 0o644


def digest(path: Path, *, without: Collection[str] = ()) -> bytes:
    """Return what tells a file, or a folder's files, from others."""
    found = {path.name: str(path)} if path.is_file() else _files(path, without)
    told = hashlib.sha256()
    for name, file in found.items():
        told.update(f"{len(name)} {name}".encode())
        told.update(hashlib.sha256(_read(file)).digest())
    return told.digest()


def copy(path: Path, to: Path, *, without: Collection[str] = ()) -> None:
    """Copy a file or a folder's files, where a tool may write beside them."""
    if path.is_file():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
        return
    to.mkdir(parents=True, exist_ok=True)
    for name, file in _files(path, without).items():
        Path(to, name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to / name)


def pack(
    folder: Path, below: str = "", *, change: Callable[[str, bytes], bytes | None] | None = None
) -> dict[str, Entry]:
    """Compress a folder's files for a package; what `change` makes None of stays out."""
    entries: dict[str, Entry] = {}
    for name, file in files_of(folder).kept.items():
        read: bytes | None = _read(file.path)
        content = change(name, read) if change and read is not None else read
        if content is not None:
            mode = _EXECUTABLE if file.status.st_mode & 0o111 else _PLAIN
            entries[below + name] = _compressed(below + name, content, mode)
    return entries


def _compressed(name: str, content: bytes, mode: int) -> Entry:
    try:
        return entry_of(name, content, mode)
    except ValueError as error:
        raise Failure(str(error), USAGE) from error


def _files(folder: Path, without: Collection[str]) -> dict[str, str]:
    return {name: file.path for name, file in files_of(folder, without=without).kept.items()}


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", USAGE) from error
