"""Frames of `application/vnd.amazon.eventstream`, in which AWS answers piece by piece.

A frame: total length, headers' length, checksum of both; headers; payload; checksum of all before
it. After the Smithy documentation, "Amazon Event Stream specification".
"""

from __future__ import annotations

import json
import struct
import zlib

__all__ = ["CONTENT_TYPE", "event_frame"]

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
"""The type of a header whose value is a text."""


def event_frame(event_type: str, document: object) -> bytes:
    """Return the frame of an event whose payload is JSON."""
    payload = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (":event-type", event_type),
            (":content-type", "application/json"),
            (":message-type", "event"),
        )
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return frame + struct.pack("!I", zlib.crc32(frame))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + struct.pack("!BH", _STRING, len(text)) + text
