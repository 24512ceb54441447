"""Zip files of entries that are compressed already, so that what did not change is not compressed.

`zipfile` compresses what it writes and has no way in for what was compressed before; a folder of
thousands of files, of which one was saved, would be done all over. Format: PKWARE's APPNOTE 6.3.
`package` keeps the entries; the same entries give the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Entry", "archive_of", "entries_of", "entry_of"]

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5HL")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_LOCAL_MARK, _END_MARK, _END_64_MARK = b"PK\3\4", b"PK\5\6", b"PK\6\6"
_PLACE_SIZE = 4
_VERSION, _VERSION_64, _UNIX = 20, 45, 3 << 8
_UTF8, _DEFLATED = 0x800, 8
_TIME, _DATE = 0, 0x21
"""The oldest that a zip can say: 1980-01-01."""
_REGULAR_FILE = 0o100000
_MOST_16, _MOST_32 = 0xFFFF, 0xFFFFFFFF


class Entry(NamedTuple):
    """A file as it stands in an archive."""

    local: bytes
    """Its header, its name and its compressed content."""
    central: bytes
    """Its entry of the directory, but for the place that comes next and the name."""
    name: bytes


def entry_of(name: str, content: bytes, mode: int) -> Entry:
    """Compress a file; raises ValueError where a zip of this kind cannot hold it."""
    if len(content) > _MOST_32:
        raise ValueError(f"{name} has {len(content)} bytes, more than a package may have")
    raw = name.encode()
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = squeeze.compress(content) + squeeze.flush()
    flags = 0 if name.isascii() else _UTF8
    facts = (_VERSION, flags, _DEFLATED, _TIME, _DATE, zlib.crc32(content), len(data), len(content))
    local = _LOCAL.pack(_LOCAL_MARK, *facts, len(raw), 0) + raw + data
    attributes = (_REGULAR_FILE | mode) << 16
    central = _CENTRAL.pack(b"PK\1\2", _UNIX | _VERSION, *facts, len(raw), 0, 0, 0, 0, attributes)
    return Entry(local, central, raw)


def archive_of(entries: Iterable[Entry]) -> bytes:
    """Put entries together, in the order in which they come."""
    files: list[bytes] = []
    directory: list[bytes] = []
    place = count = 0
    for count, entry in enumerate(entries, start=1):  # noqa: B007  the last one is how many
        files.append(entry.local)
        directory += (entry.central, place.to_bytes(_PLACE_SIZE, "little"), entry.name)
        place += len(entry.local)
    central = b"".join(directory)
    return b"".join((*files, central, _end(count, len(central), place)))


def entries_of(content: bytes) -> dict[str, Entry]:
    """Take apart what `archive_of` put together; raises ValueError where it is not that, whole."""
    locals_, place = [], 0
    try:
        while content.startswith(_LOCAL_MARK, place):
            facts = _LOCAL.unpack_from(content, place)
            end = place + _LOCAL.size + facts[7] + facts[9]
            locals_.append(content[place:end])
            place = end
        entries, place = _with_centrals(content, locals_, place)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"an archive ends too early: {error}") from error
    if not content.startswith((_END_MARK, _END_64_MARK), place):
        raise ValueError("an archive has no end")
    return entries


def _with_centrals(
    content: bytes, locals_: list[bytes], place: int
) -> tuple[dict[str, Entry], int]:
    """Give each file its entry of the directory that begins at `place`, and where that ends."""
    entries: dict[str, Entry] = {}
    for local in locals_:
        central = content[place : place + _CENTRAL.size]
        name_at = place + _CENTRAL.size + _PLACE_SIZE
        place = name_at + _CENTRAL.unpack(central)[10]
        name = content[name_at:place]
        entries[name.decode()] = Entry(local, central, name)
    return entries, place


def _end(count: int, size: int, place: int) -> bytes:
    short = min(count, _MOST_16)
    end = _END.pack(_END_MARK, 0, 0, short, short, size, place, 0)
    if count < _MOST_16:
        return end
    record = _END_64.pack(
        _END_64_MARK, _END_64.size - 12, _VERSION_64, _VERSION_64, 0, 0, count, count, size, place
    )
    return record + _LOCATOR.pack(b"PK\6\7", 0, place + size, 1) + end
