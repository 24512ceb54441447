"""Listeners, and how long a connection may take: HTTP in, requests out to a handler.

aiohttp parses. It has no deadline for a request's head, so silent connections and half-sent heads
would stay open; here they do not, nor do those whose client reads nothing of an answer. Bodies have
deadlines of their own (`bodies`). What a request means, `pipeline` knows.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

if TYPE_CHECKING:
    from asyncio import AbstractServer

__all__ = ["Handler", "Server", "while_connected"]

HEAD_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 75.0
READ_SECONDS = 60.0
"""How long a client may read nothing of what waits for it."""
BACKLOG = 1024

Handler = Callable[[BaseRequest], Awaitable[web.StreamResponse]]


class Server:
    """The listeners of one process."""

    def __init__(self) -> None:
        self._open: list[tuple[AbstractServer, web.Server]] = []

    async def listen(self, handler: Handler, host: str, port: int) -> int:
        """Have requests to a port answered by a handler; returns the port, which 0 lets be chosen.

        Raises OSError where it is in use.
        """
        requests = _GuardedServer(
            handler, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, lingering_time=2.0
        )
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(requests, host, port, backlog=BACKLOG)
        self._open.append((listener, requests))
        return int(listener.sockets[0].getsockname()[1])

    async def close(self, *, drain_seconds: float) -> None:
        """Accept nothing more, let running requests end for so long, then close connections."""
        for listener, requests in self._open:
            listener.close()
            await asyncio.sleep(0)  # what has been read by now begins, and so is waited for
            requests.pre_shutdown()
            await requests.shutdown(drain_seconds)
        self._open.clear()


@contextmanager
def while_connected(request: BaseRequest) -> Iterator[None]:
    """Cancel what is done here, by the task that answers a request, once its client has gone."""
    connection = request.protocol
    if not isinstance(connection, _GuardedConnection):  # the client has gone already
        yield
        return
    connection.writer = asyncio.current_task()
    try:
        yield
    finally:
        connection.writer = None


class _GuardedConnection(RequestHandler):
    """A connection that ends where a request's head takes too long, or where nobody reads."""

    __slots__ = ("_arriving", "_head_timer", "_request", "writer")

    writer: asyncio.Task[Any] | None
    """What is to be cancelled where the client goes away."""

    _head_timer: asyncio.TimerHandle | None
    _request: BaseRequest | None
    _arriving: bool
    """Whether bytes of the next head came while a request was answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._head_timer, self._request, self._arriving = None, None, False
        self.writer = None
        super().connection_made(transport)
        # The kernel looks: also once everything has been handed to it, and after a `close`.
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000)
        )
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._request is None:
            self._arm()
        elif self._request.content.is_eof():
            self._arriving = True
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._disarm()
        if self.writer is not None:
            self.writer.cancel()
        super().connection_lost(exc)

    def begin(self, request: BaseRequest) -> None:
        """Take note that a head is whole."""
        self._disarm()
        self._request, self._arriving = request, False

    def end(self) -> None:
        """Take note that a request has been answered."""
        self._request = None
        if self._arriving:
            self._arm()

    def _arm(self) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(HEAD_SECONDS, self.force_close)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _GuardedServer(web.Server):
    """aiohttp's low-level server, its connections guarded."""

    def __init__(self, handler: Handler, **options: Any) -> None:
        super().__init__(_noting_heads(handler), **options)
        self._options = options

    def __call__(self) -> RequestHandler:
        """Make the protocol of a connection (aiohttp's factory)."""
        return _GuardedConnection(self, loop=asyncio.get_running_loop(), **self._options)


def _noting_heads(handler: Handler) -> Handler:
    async def handle(request: BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, _GuardedConnection):  # the connection was lost meanwhile
            return await handler(request)
        connection.begin(request)
        try:
            return await handler(request)
        finally:
            connection.end()

    return handle
