"""A connection that ends what is written to it once its client has gone.

`responses` writes within `while_connected`; `server` adds how long heads and readers may take.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp.web_protocol import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.web_request import BaseRequest

__all__ = ["Connection", "while_connected"]


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
