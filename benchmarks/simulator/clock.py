"""Virtual time, and what happens in it. `simulation` and `knative` run on it."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VirtualClock"]


class VirtualClock:
    """Stands still until the next event."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Callable[[Any], None], subject: Any) -> None:
        """Let something happen later; of two things at one time the first told comes first."""
        heapq.heappush(self._events, (when, next(self._order), action, subject))

    def run_until(self, end: float) -> None:
        """Let happen what is to happen before `end`."""
        while self._events and self._events[0][0] < end:
            self.now, _, action, subject = heapq.heappop(self._events)
            action(subject)
        self.now = end
