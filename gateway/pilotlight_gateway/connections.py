"""A connection that ends what is done for its client alone once the client has gone.

`responses` writes within `while_connected`, and a call waits for an environment within
`while_caller_waits`: nothing is begun for callers that are gone. `server` adds how long heads and
readers may take.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aiohttp.web_protocol import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.web_request import BaseRequest

__all__ = ["Connection", "while_caller_waits", "while_connected"]

_serving: ContextVar[Connection | None] = ContextVar("serving", default=None)
"""The connection that the running task serves; None in those that serve no client."""


class Connection(RequestHandler):
    """aiohttp's connection, which knows what its client's leaving ends."""

    __slots__ = ("doing",)

    doing: asyncio.Task[Any] | None
    """What is to be cancelled where the client goes away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection."""
        self.doing = None
        _serving.set(self)  # the task that answers is made here, and inherits it
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give up what is still written."""
        if self.doing is not None:
            self.doing.cancel()
        super().connection_lost(exc)


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
def _while_open(connection: Connection | None) -> Iterator[None]:
    if connection is None:
        yield
        return
    connection.doing = asyncio.current_task()
    try:
        yield
    finally:
        connection.doing = None
