"""Lets clients go first: while their requests keep the process busy, few events are begun beside.

A client waits for its answer, be it a function's or a 202; an event that was accepted does not.
Busy is when requests come and the event loop is late for its own timers, whoever holds it up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LEAST", "REST_SECONDS", "Pace"]

SAMPLE_SECONDS = 0.05
RESTING_SECONDS = 0.5
"""How often the loop is looked at while no requests come: to look wakes an idle process up."""
LATE_SECONDS = 0.002
LEAST = 4
"""Events that are begun at a time even so, so that none waits for ever."""
REST_SECONDS = 0.05
"""How long the dispatcher rests between those."""
_WEIGHT = 0.3


class Pace:
    """Watches the event loop that it runs in."""

    def __init__(self, requests: Callable[[], int]) -> None:
        """`requests` says how many requests have come so far."""
        self.busy = False
        self._requests = requests
        self._late = 0.0

    async def run(self) -> None:
        """Watch, for ever."""
        loop = asyncio.get_running_loop()
        seconds = SAMPLE_SECONDS
        while True:
            before, began = self._requests(), loop.time()
            await asyncio.sleep(seconds)
            came = self._requests() - before
            self.sample(loop.time() - began - seconds, came)
            seconds = SAMPLE_SECONDS if came else RESTING_SECONDS

    def sample(self, late: float, requests: int) -> None:
        """Take note of how late a timer was, in seconds, and how many requests came meanwhile."""
        self._late += _WEIGHT * (max(0.0, late) - self._late)
        self.busy = requests > 0 and self._late > LATE_SECONDS
