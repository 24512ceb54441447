"""Listeners: HTTP in, requests out to whoever answers them.

A connection is `plain_connection`'s where the port is the clients', else and for all other
requests aiohttp's, guarded (`guarded_connection`).
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from .guarded_connection import GuardedServer
from .plain_connection import PlainConnection

if TYPE_CHECKING:
    from asyncio import AbstractServer
    from collections.abc import Callable

    from .guarded_connection import Handler
    from .plain_connection import Replies

__all__ = ["Server"]

BACKLOG = 1024
ACCEPTORS = 16
"""Of a port: each takes one connection in a turn of uvloop, and under load turns are long."""


class Server:
    """The listeners of one process."""

    def __init__(self) -> None:
        self._listeners: list[AbstractServer] = []
        self._requests: list[GuardedServer] = []
        self._connections: set[PlainConnection] = set()

    async def listen(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        bound: socket.socket | None = None,
        plain: Replies | None = None,
    ) -> int:
        """Have requests to a port answered by a handler; returns the port, which 0 lets be chosen.

        `plain` answers those in the plain form, where the port has any. A socket that is
        `bound` already is taken as it is. Raises OSError where the port is in use.
        """
        requests = GuardedServer(handler)
        factory = requests if plain is None else self._serving(plain, requests)
        loop = asyncio.get_running_loop()
        address = {"host": host, "port": port} if bound is None else {"sock": bound}
        listener = await loop.create_server(factory, backlog=BACKLOG, **address)
        accepting = listener.sockets[0]
        self._requests.append(requests)
        self._listeners.append(listener)
        for _ in range(ACCEPTORS - 1):
            again = socket.socket(fileno=os.dup(accepting.fileno()))
            self._listeners.append(await loop.create_server(factory, sock=again, backlog=BACKLOG))
        return int(accepting.getsockname()[1])

    def _serving(self, plain: Replies, requests: GuardedServer) -> Callable[[], PlainConnection]:
        return lambda: PlainConnection(plain, requests.connection, self._connections)

    async def close(self, *, drain_seconds: float) -> None:
        """Accept nothing more, let running requests end for so long, then close connections."""
        for listener in self._listeners:
            listener.close()
        await asyncio.sleep(0)  # what has been read by now begins, and so is waited for
        until = asyncio.get_running_loop().time() + drain_seconds
        for requests in self._requests:
            requests.pre_shutdown()
        await self._close_plain(drain_seconds)
        for requests in self._requests:
            await requests.shutdown(max(0.0, until - asyncio.get_running_loop().time()))
        self._listeners.clear()
        self._requests.clear()

    async def _close_plain(self, drain_seconds: float) -> None:
        for connection in list(self._connections):
            connection.close()
        if running := [one.answering for one in self._connections if one.answering]:
            await asyncio.wait(running, timeout=drain_seconds)
        for connection in list(self._connections):
            if connection.answering:
                connection.answering.cancel()
                connection.abort()
