"""What a zip file's directory would cost in memory, judged before zipfile makes objects of it.

A package of one megabyte may name a hundred thousand entries, or folders a thousand deep. The end
record is found as zipfile finds it (APPNOTE.TXT 4.3.16), so that both read the same directory; the
64-bit form, which only archives above these limits need, is refused.
"""

import os
import struct
from contextlib import nullcontext
from pathlib import Path
from typing import IO

__all__ = ["DEPTH_LIMIT", "ENTRY_LIMIT", "NAMES_LIMIT", "ArchiveError", "check_directory"]

ENTRY_LIMIT = 65_535
NAMES_LIMIT = 8_388_608
"""Bytes of all names together."""
DEPTH_LIMIT = 64
"""Folders above an entry."""
_DIRECTORY_LIMIT = 2 * NAMES_LIMIT
_END = struct.Struct("<4s6xHII2x")
_END_SIGNATURE = b"PK\x05\x06"
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_LOCATOR_SIZE = 20
_LONGEST_COMMENT = 65_535
_ENTRY = struct.Struct("<4s24xHHH12x")
_ENTRY_SIGNATURE = b"PK\x01\x02"


class ArchiveError(Exception):
    """The package is refused; the message names the entry, what came and what was expected."""


def check_directory(archive: Path | IO[bytes]) -> None:
    """Bound entries, names and depth; ArchiveError where there is more, or no directory."""
    opened = archive.open("rb") if isinstance(archive, Path) else nullcontext(archive)
    with opened as file:
        directory = _read(file)
        file.seek(0)
    place = entries = names = 0
    while place < len(directory):
        name = _name(directory, place)
        entries, names = entries + 1, names + len(name)
        if entries >= ENTRY_LIMIT:
            raise ArchiveError(f"{entries} entries came, fewer than {ENTRY_LIMIT} are allowed")
        if names > NAMES_LIMIT:
            raise ArchiveError(f"the names have more than the {NAMES_LIMIT} bytes allowed")
        if name.count(b"/") > DEPTH_LIMIT:
            raise ArchiveError(
                f"{name[:80]!r}… is {name.count(b'/')} folders deep, {DEPTH_LIMIT} are allowed"
            )
        place += _ENTRY.size + sum(_ENTRY.unpack_from(directory, place)[1:])


def _name(directory: bytes, place: int) -> bytes:
    if len(directory) - place < _ENTRY.size:
        raise ArchiveError("the package is not a readable zip file: its directory is cut off")
    signature, length, _, _ = _ENTRY.unpack_from(directory, place)
    if signature != _ENTRY_SIGNATURE:
        raise ArchiveError("the package is not a readable zip file: its directory is broken")
    if not length:
        raise ArchiveError("an entry has an empty name, a path is expected")
    begin = place + _ENTRY.size
    return directory[begin : begin + length]


def _read(file: IO[bytes]) -> bytes:
    """Return the directory's bytes."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _END.size - _LONGEST_COMMENT - _LOCATOR_SIZE))
    tail = file.read()
    place = _find_end(tail)
    size = _END.unpack_from(tail, place)[2]
    begin = end - len(tail) + place - size
    if tail[max(0, place - _LOCATOR_SIZE) : place].startswith(_LOCATOR_SIGNATURE):
        raise ArchiveError(
            f"the package is in the 64-bit form, one of fewer than {ENTRY_LIMIT} entries in the "
            "plain form is expected"
        )
    if size > _DIRECTORY_LIMIT:
        raise ArchiveError(
            f"the directory has {size} bytes, at most {_DIRECTORY_LIMIT} are allowed"
        )
    if begin < 0:
        raise ArchiveError("the package is not a readable zip file: its directory is cut off")
    file.seek(begin)
    return file.read(size)


def _find_end(tail: bytes) -> int:
    place = len(tail) - _END.size
    if place < 0 or not (tail.startswith(_END_SIGNATURE, place) and tail.endswith(b"\0\0")):
        place = tail.rfind(_END_SIGNATURE)
    if place < 0 or len(tail) - place < _END.size:
        raise ArchiveError("the package is not a readable zip file: it has no directory")
    return place
