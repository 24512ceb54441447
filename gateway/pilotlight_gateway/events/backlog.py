"""What stands in the event queue, for who reads the metrics.

The queue is one for all gateways, so each tells the same of it: take the largest, not the sum. It
is asked when metrics are read, at most once in `SAMPLE_SECONDS`, since counting reads an index of
all that waits; a database that does not answer is itself what is told.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from pilotlight.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight_gateway.event_queue.interface import EventQueue

    from .metrics import EventMetrics

__all__ = ["Backlog"]

SAMPLE_SECONDS = 10.0
ANSWER_SECONDS = 3.0
"""A database that takes longer is as good as away."""


class Backlog:
    """Looks at the queue when somebody asks, but not too often."""

    def __init__(
        self, queue: EventQueue, metrics: EventMetrics, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives seconds since 1970, in which the queue counts too."""
        self._queue, self._metrics, self._clock = queue, metrics, clock
        self._sampled_at = 0.0

    async def measure(self) -> None:
        """Bring the gauges up to date, unless that was done a moment ago."""
        now = self._clock()
        if now - self._sampled_at < SAMPLE_SECONDS:
            return
        self._sampled_at = now
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                counts, due = await self._queue.counts(), await self._queue.next_due()
        except (UnavailableError, TimeoutError):
            self._metrics.queue_did_not_answer()
            return
        self._metrics.queue_has(
            waiting=counts.waiting,
            in_flight=counts.in_flight,
            dead=counts.dead,
            overdue=0.0 if due is None else max(0.0, now - due),
        )
