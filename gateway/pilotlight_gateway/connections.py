"""How long clients may take, and what ends once a client has gone.

`responses` writes within `while_connected`, and a call waits for an environment within
`while_caller_waits`: nothing is begun for callers that are gone. `guarded_connection` and
`plain_connection` keep the time.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp.web_protocol import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.web_request import BaseRequest

__all__ = [
    "HEAD_SECONDS",
    "KEEP_ALIVE_SECONDS",
    "Connection",
    "guard_writes",
    "serve",
    "source_ip",
    "while_caller_waits",
    "while_connected",
]

HEAD_SECONDS = 15.0
"""In which the head of a request must have come."""
KEEP_ALIVE_SECONDS = 75.0
"""How long a connection may idle between two requests."""
READ_SECONDS = 60.0
"""How long a client may read nothing of what waits for it."""


class Client(Protocol):
    """A connection as who works for its client sees it."""

    doing: asyncio.Task[Any] | None
    """What is to be cancelled where the client goes away."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """None once the client has gone."""
        ...


_serving: ContextVar[Client | None] = ContextVar("serving", default=None)
"""The connection that the running task serves; None in those that serve no client."""


class Connection(RequestHandler):
    """aiohttp's connection, which knows what its client's leaving ends."""

    __slots__ = ("doing",)

    doing: asyncio.Task[Any] | None
    """What is to be cancelled where the client goes away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection."""
        self.doing = None
        serve(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give up what is still written."""
        if self.doing is not None:
            self.doing.cancel()
        super().connection_lost(exc)


def serve(connection: Client) -> None:
    """Have the tasks that are made from here on know whom they serve."""
    _serving.set(connection)


@contextmanager
def while_connected(request: BaseRequest) -> Iterator[None]:
    """Cancel what is done here, by the task that answers a request, once its client has gone."""
    connection = request.protocol
    # Any other than ours: the client has gone already.
    with _while_open(connection if isinstance(connection, Connection) else None):
        yield


@contextmanager
def while_caller_waits() -> Iterator[None]:
    """Cancel what is done here, by a task that serves a client, once the client has gone.

    Raises CancelledError where it has gone before; does nothing in a task that serves none.
    """
    connection = _serving.get()
    if connection is not None and connection.transport is None:
        raise asyncio.CancelledError
    with _while_open(connection):
        yield


@contextmanager
def _while_open(connection: Client | None) -> Iterator[None]:
    if connection is None:
        yield
        return
    connection.doing = asyncio.current_task()
    try:
        yield
    finally:
        connection.doing = None


def source_ip(transport: asyncio.BaseTransport) -> str:
    """Return where a connection comes from, as aiohttp's `remote` says it."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple | list) else str(peer or "")


def guard_writes(transport: asyncio.BaseTransport) -> None:
    """Have a connection end whose client reads nothing of what waits for it, or is gone.

    The kernel looks: also once everything has been handed to it, and after a `close`.
    """
    connected = transport.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000))
