"""Knocks at a pod's agent until it answers that it may be given something to do.

Both computes wait like this: a subprocess announces its port before its zygote is ready, and the
kubelet's own probe is up to seconds behind.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from pilotlight.errors import ConnectionLostError
from pilotlight_wire.protocol import Path

from .connection import Request, ask

__all__ = ["wait_until_ready"]

KNOCK_SECONDS = 0.02


async def wait_until_ready(host: str, port: int) -> None:
    """Return once `GET /ready` is answered with 200; the caller keeps the deadline."""
    while not await _answers(host, port):  # noqa: ASYNC110  another process: there is no event
        await asyncio.sleep(KNOCK_SECONDS)


async def _answers(host: str, port: int) -> bool:
    try:
        status, _ = await ask(host, port, Request("GET", Path.READY))
    except (OSError, TimeoutError, ConnectionLostError):
        return False
    return status == HTTPStatus.OK
