"""The source of a mapping whose queue is opened for it and closed after, as brokers' are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .queue import Queue
from .queue_poller import QueuePoller

if TYPE_CHECKING:
    from collections.abc import Callable

    from .source import Backlog, HeldShard, PolledMapping

__all__ = ["OpenedQueue", "QueueSource"]


class OpenedQueue(Queue, Protocol):
    """A queue's client that connects; what cannot be done raises SourceError."""

    async def find(self) -> None:
        """Connect and find the queue."""
        ...

    async def begin(self) -> object:
        """Connect and have messages delivered, unless that is so."""
        ...

    async def backlog(self) -> Backlog:
        """Ask how much waits, of a queue that was found."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class QueueSource:
    """Polls what `make` opens for a mapping."""

    def __init__(
        self, polled: PolledMapping, *, make: Callable[[PolledMapping], OpenedQueue]
    ) -> None:
        self._polled = polled
        self._make = make

    async def check(self) -> None:
        """Find the queue with the mapping's credentials."""
        queue = self._make(self._polled)
        try:
            await queue.find()
        finally:
            await queue.close()

    async def backlog(self) -> Backlog:
        """Ask how much waits, over a connection of its own."""
        queue = self._make(self._polled)
        try:
            await queue.find()
            return await queue.backlog()
        finally:
            await queue.close()

    async def run(self, shard: HeldShard) -> None:
        """Poll."""
        queue = self._make(self._polled)
        try:
            await queue.begin()
            await QueuePoller(self._polled, queue).run(shard)
        finally:
            await queue.close()
