"""Knocks at a pod's agent until it answers that it may be given something to do.

Both computes wait like this: a subprocess announces its port before its zygote is ready, and the
kubelet's own probe is up to seconds behind.
"""

from __future__ import annotations

import asyncio

__all__ = ["wait_until_ready"]

KNOCK_SECONDS = 0.02


async def wait_until_ready(host: str, port: int) -> None:
    """Return once `GET /ready` is answered with 200; the caller keeps the deadline."""
    while not await _answers(host, port):  # noqa: ASYNC110  another process: there is no event
        await asyncio.sleep(KNOCK_SECONDS)


async def _answers(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(f"GET /ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readline()).split()[1:2] == [b"200"]
    except OSError:
        return False
    finally:
        writer.close()
