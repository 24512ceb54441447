"""Tells when nothing starts: what has time then takes no processor from what is waited for.

Everything that a start sets going beside itself goes through the API server, and every change there
is read by the kubelet, the scheduler and each controller: more work than the start itself. `starts`
tells of starts, and writes down whose pods are then; `pools.keeper` refills then. The same holds
while somebody waits for a pod of his own: the node starts those faster with nothing else to do.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CLOCK_STEP", "LONGEST_DEMAND_SECONDS", "LONGEST_SECONDS", "REST_SECONDS", "Calm"]

REST_SECONDS = 0.3
"""For how long after a start nothing else begins: first answers take a fraction of it."""
LONGEST_SECONDS = 1.5
"""How long starts that follow each other hold the rest back."""
LONGEST_DEMAND_SECONDS = 20.0
"""How long those do who wait for pods of their own."""
CLOCK_STEP = 0.001
"""Added to a wait, so that it surely is over after it."""


class Calm:
    """Whether environments start, or pods that somebody waits for."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """The clock is the running loop's unless another is given."""
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._starting = 0
        self._demands = 0
        self._rests_until = 0.0

    @contextmanager
    def start(self) -> Iterator[None]:
        """Note that something starts for as long as the block lasts."""
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1
            self._rests_until = self._clock() + REST_SECONDS

    @property
    def demanded(self) -> bool:
        """Whether somebody waits for a pod of his own."""
        return self._demands > 0

    @contextmanager
    def demand(self) -> Iterator[None]:
        """Note that somebody waits for a pod of his own for as long as the block lasts."""
        self._demands += 1
        try:
            yield
        finally:
            self._demands -= 1

    def left(self) -> float:
        """Give the seconds until there is calm, if nothing else starts; 0 where there is."""
        if self._starting:
            return REST_SECONDS
        return max(0.0, self._rests_until - self._clock())

    async def wait(self) -> None:
        """Wait until nothing starts and nobody waits for a pod, or for long enough."""
        began = self._clock()
        while (left := self._left_since(began)) > 0:  # noqa: ASYNC110  time passes without an event
            await asyncio.sleep(left + CLOCK_STEP)

    def _left_since(self, began: float) -> float:
        """Give for how long there will be no calm, for who waits since then."""
        waited = self._clock() - began
        if self.demanded and waited < LONGEST_DEMAND_SECONDS:
            return REST_SECONDS
        return min(self.left(), LONGEST_SECONDS - waited)
