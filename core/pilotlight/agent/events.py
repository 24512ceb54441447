"""An agent's events, as long as it lives: log lines, states, what became of its zygote."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from pilotlight.errors import ConnectionLostError
from pilotlight_wire.events import AFTER
from pilotlight_wire.protocol import Path

from .connection import Request, connect
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pilotlight_wire.events import Event

__all__ = ["read_events"]

_LARGEST_CHUNK = 4 << 20
"""More than an agent sends at once, whatever its function prints."""
_EVERYTHING = f"{Path.EVENTS}?{AFTER}=0"


async def read_events(host: str, port: int, token: str) -> AsyncGenerator[list[Event], None]:
    """Read all events from the first on, in batches as they come.

    Raises OSError, TimeoutError and ConnectionLostError where the agent is gone, ValueError where
    what answers is none.
    """
    connection = await connect(host, port)
    try:
        answer = await connection.exchange(Request("GET", _EVERYTHING, token))
        if answer.status != HTTPStatus.OK:
            refusal = Refusal.parse(answer.status, await connection.read())
            raise ConnectionLostError(str(refusal))
        pending = b""
        async for chunk in _chunks(connection.stream()):
            text, _, pending = (pending + chunk).rpartition(b"\n")
            # One document of many is parsed faster than many documents.
            yield _parse(b"[%b]" % text.replace(b"\n", b","))
    finally:
        connection.close()


def _parse(text: bytes) -> list[Event]:
    try:
        events: list[Event] = orjson.loads(text)
    except ValueError:  # half a character, which a function may print
        events = json.loads(text)
    return events


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Take apart what is chunked."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while (begin := buffer.find(b"\r\n") + 2) > 1:
            size = int(buffer[: begin - 2], 16)
            if size > _LARGEST_CHUNK:
                raise ValueError(f"a chunk of {size} bytes came, {_LARGEST_CHUNK} are the most")
            end = begin + size
            if len(buffer) < end + 2:
                break
            if size == 0:
                return
            yield bytes(buffer[begin:end])
            del buffer[: end + 2]
