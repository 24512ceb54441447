"""Connections with a deadline for the head: aiohttp has none (silent and half-sent ones stay open).

Between two requests aiohttp's own keep-alive time applies; while a body comes, `bodies` counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

if TYPE_CHECKING:
    import asyncio

__all__ = ["GuardedServer"]

HEAD_SECONDS = 15.0


class _GuardedConnection(RequestHandler):
    __slots__ = ("_head_timer",)

    _head_timer: asyncio.TimerHandle | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._head_timer = None
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages or self._request_in_progress:
            self._disarm()
        elif self._head_timer is None:
            self._arm()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._head_timer = self._loop.call_later(HEAD_SECONDS, self.force_close)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class GuardedServer(Server):
    """aiohttp's low-level server, its connections guarded."""

    def __call__(self) -> RequestHandler:
        """Make the protocol of a connection (aiohttp's factory)."""
        return _GuardedConnection(self, loop=self._loop, **self._kwargs)
