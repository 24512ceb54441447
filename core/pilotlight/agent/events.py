"""An environment's events, as long as its agent lives: log lines, states, and the pod's own."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from pilotlight.errors import ConnectionLostError
from pilotlight_wire.events import AFTER, ENVIRONMENT
from pilotlight_wire.protocol import Path

from .chunks import Chunks
from .connection import Request, connect
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pilotlight_wire.events import Event

__all__ = ["read_events"]

_MOST_PENDING = 4 << 20
"""Bytes without a line end: more than an agent sends, whatever its function prints."""
_OF_ENVIRONMENT = f"{Path.EVENTS}?{AFTER}=%d&{ENVIRONMENT}=%s"


async def read_events(
    host: str, port: int, token: str, environment: str, after: int = 0
) -> AsyncGenerator[list[Event], None]:
    """Read an environment's events after the one of that number, in batches as they come.

    Raises OSError, TimeoutError and ConnectionLostError where the agent is gone, ValueError where
    what answers is none.
    """
    connection = await connect(host, port)
    try:
        answer = await connection.exchange(
            Request("GET", _OF_ENVIRONMENT % (after, environment), token)
        )
        if answer.status != HTTPStatus.OK:
            refusal = Refusal.parse(answer.status, await connection.read())
            raise ConnectionLostError(str(refusal))
        pending = bytearray()
        async for piece in Chunks(connection):
            pending += piece
            if len(pending) > _MOST_PENDING:
                raise ValueError(f"an event of more than {_MOST_PENDING} bytes came")
            if (end := pending.rfind(b"\n")) >= 0:
                # One document of many is parsed faster than many documents.
                yield _parse(b"[%b]" % bytes(pending[:end]).replace(b"\n", b","))
                del pending[: end + 1]
    finally:
        connection.close()


def _parse(text: bytes) -> list[Event]:
    try:
        events: list[Event] = orjson.loads(text)
    except ValueError:  # half a character, which a function may print
        events = json.loads(text)
    return events
