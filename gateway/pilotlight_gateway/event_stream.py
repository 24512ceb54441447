"""Frames of `application/vnd.amazon.eventstream`, in which AWS answers piece by piece.

A frame: total length, headers' length, checksum of both; headers; payload; checksum of all before
it. After the Smithy documentation, "Amazon Event Stream specification".
"""

from __future__ import annotations

import functools
import json
import struct
import zlib

__all__ = ["CONTENT_TYPE", "bytes_frame", "event_frame"]

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
"""The type of a header whose value is a text."""


def event_frame(event_type: str, document: object) -> bytes:
    """Return the frame of an event whose payload is JSON."""
    payload = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return _frame(event_type, "application/json", payload)


def bytes_frame(event_type: str, payload: bytes) -> bytes:
    """Return the frame of an event whose payload is bytes."""
    return _frame(event_type, "application/octet-stream", payload)


def _frame(event_type: str, content_type: str, payload: bytes) -> bytes:
    headers = _headers(event_type, content_type)
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return frame + struct.pack("!I", zlib.crc32(frame))


@functools.lru_cache
def _headers(event_type: str, content_type: str) -> bytes:
    pairs = (":event-type", event_type), (":content-type", content_type), (":message-type", "event")
    return b"".join(_header(name, value) for name, value in pairs)


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + struct.pack("!BH", _STRING, len(text)) + text
