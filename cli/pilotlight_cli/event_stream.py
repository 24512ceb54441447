"""Frames of `application/vnd.amazon.eventstream`, in which streamed answers come.

A frame: total length, headers' length, checksum of both; headers; payload; checksum of all before
it. After the Smithy documentation, "Amazon Event Stream specification". `functions` says what the
events of an invocation mean.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from .failures import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Event", "read_events"]

_PRELUDE = struct.Struct("!III")
_CHECKSUM = struct.Struct("!I")
_TEXT = struct.Struct("!BH")
"""Before a header's value: its type, which is a text's in all that we know of, and its length."""
LARGEST_FRAME = 25 << 20
"""Bytes; more than any service sends."""


class Event(NamedTuple):
    """What a frame says."""

    headers: dict[str, str]
    payload: bytes


def read_events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a body that comes in pieces; raises Failure where it is none."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= _PRELUDE.size and len(buffer) >= (length := _length(buffer)):
            yield _read(bytes(buffer[:length]))
            del buffer[:length]
    if buffer:
        raise Failure("the answer broke off in the middle of an event")


def _length(frame: bytes | bytearray) -> int:
    length, _, checksum = _PRELUDE.unpack_from(frame)
    if checksum != zlib.crc32(frame[:8]) or not 16 <= length <= LARGEST_FRAME:  # noqa: PLR2004  of none
        raise Failure("what came is no stream of events: is the endpoint Lambda's or Pilotlight's?")
    return int(length)


def _read(frame: bytes) -> Event:
    _, size, _ = _PRELUDE.unpack_from(frame)
    (checksum,) = _CHECKSUM.unpack_from(frame, len(frame) - _CHECKSUM.size)
    if checksum != zlib.crc32(frame[: -_CHECKSUM.size]):
        raise Failure("an event of the answer was damaged on its way")
    start = _PRELUDE.size + size
    return Event(dict(_headers(frame[_PRELUDE.size : start])), frame[start : -_CHECKSUM.size])


def _headers(block: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(block):
        name = block[at + 1 : at + 1 + block[at]].decode()
        at += 1 + block[at]
        _, length = _TEXT.unpack_from(block, at)
        at += _TEXT.size
        yield name, block[at : at + length].decode()
        at += length
