"""How long clients may take, and a connection that ends what is written once its client has gone.

`responses` writes within `while_connected`; `guarded_connection` and `invocation_connection` keep
the time.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp.web_protocol import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.web_request import BaseRequest

__all__ = ["HEAD_SECONDS", "KEEP_ALIVE_SECONDS", "Connection", "guard_writes", "while_connected"]

HEAD_SECONDS = 15.0
"""In which the head of a request must have come."""
KEEP_ALIVE_SECONDS = 75.0
"""How long a connection may idle between two requests."""
READ_SECONDS = 60.0
"""How long a client may read nothing of what waits for it."""


class Connection(RequestHandler):
    """aiohttp's connection, which knows the task that writes a long answer."""

    __slots__ = ("writer",)

    writer: asyncio.Task[Any] | None
    """What is to be cancelled where the client goes away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection."""
        self.writer = None
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give up what is still written."""
        if self.writer is not None:
            self.writer.cancel()
        super().connection_lost(exc)


@contextmanager
def while_connected(request: BaseRequest) -> Iterator[None]:
    """Cancel what is done here, by the task that answers a request, once its client has gone."""
    connection = request.protocol
    if not isinstance(connection, Connection):  # the client has gone already
        yield
        return
    connection.writer = asyncio.current_task()
    try:
        yield
    finally:
        connection.writer = None


def guard_writes(transport: asyncio.BaseTransport) -> None:
    """Have a connection end whose client reads nothing of what waits for it, or is gone.

    The kernel looks: also once everything has been handed to it, and after a `close`.
    """
    connected = transport.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000))
