"""Entries that a runtime frames, between lines that the function prints.

Lambda gives its runtimes a descriptor for log entries and names it in `VARIABLE`; an entry has 16
bytes before it: type, length, microseconds. Java's runtime has no other way to say where an entry
ends. Here it is told standard output, so that entries and lines keep their order. The mark ends in
a byte that nobody prints.
"""

import struct

from .output import LONGEST_LINE, LineSplitter, decode

__all__ = ["VARIABLE", "EntrySplitter"]

VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"
_MARK = b"\xa5\x5a\x00"
_HEADER = struct.Struct("!IIQ")


class EntrySplitter(LineSplitter):
    """Bytes into lines and entries; an entry is one line, its own line ends carriage returns."""

    def __init__(self) -> None:
        super().__init__()
        self._held = b""
        """What may be the beginning of a header."""
        self._entry = bytearray()
        self._left = 0
        """How many bytes of the entry are to come."""

    @property
    def unfinished(self) -> bool:
        """Whether a line or an entry has begun."""
        return super().unfinished or bool(self._held or self._entry)

    def feed(self, data: bytes) -> list[str]:
        """Return the lines and entries that `data` completes."""
        data, lines = self._held + data, list[str]()
        self._held = b""
        while data:
            if self._left:
                data = self._take(data, lines)
                continue
            text, mark, rest = data.partition(_MARK)
            if not mark:
                text = self._hold(text)
            lines += super().feed(text)
            data = self._begin(mark + rest, lines) if mark else b""
        return lines

    def flush(self) -> list[str]:
        """Return what nothing will complete any more."""
        lines = list[str]()
        if self._entry:
            self._finish_entry(lines)  # the rest, if there is one, is an entry of its own
        held, self._held = self._held, b""
        return lines + super().feed(held) + super().flush()

    def _hold(self, text: bytes) -> bytes:
        """Keep back what may be a part of a mark, and return the rest."""
        size = next((n for n in (2, 1) if text.endswith(_MARK[:n])), 0)
        self._held = text[len(text) - size :]
        return text[: len(text) - size]

    def _begin(self, data: bytes, lines: list[str]) -> bytes:
        """Read a header, if it is whole, and return what follows it."""
        if len(data) < _HEADER.size:
            self._held = data
            return b""
        lines += super().flush()
        self._left = _HEADER.unpack_from(data)[1]
        if not self._left:
            self._finish_entry(lines)
        return data[_HEADER.size :]

    def _take(self, data: bytes, lines: list[str]) -> bytes:
        """Read what is there of the entry, keep what will be told, and return what follows."""
        piece, rest = data[: self._left], data[self._left :]
        self._entry += piece[: LONGEST_LINE + 1 - len(self._entry)]
        self._left -= len(piece)
        if not self._left:
            self._finish_entry(lines)
        return rest

    def _finish_entry(self, lines: list[str]) -> None:
        entry, self._entry = bytes(self._entry), bytearray()
        lines.append(decode(entry.rstrip(b"\n").replace(b"\n", b"\r")))
