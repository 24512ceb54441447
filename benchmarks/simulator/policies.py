"""The policies that are compared: how long an environment stays, and who goes when memory is short.

Ours are the modules that the autoscaler itself has; the others are what is common elsewhere.
`simulation` asks them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pilotlight.greedy_dual import Candidate, GreedyDual
from pilotlight.keep_alive import IdleTimes, KeepAlive, KeepAliveSpec, decide, fixed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CLAIRVOYANT", "FIXED", "GREEDY_DUAL", "HYBRID", "LRU", "Eviction", "Policy"]


class Eviction(Protocol):
    """Who goes first when memory is short: the lowest priority."""

    def priority(self, now: float, next_use: float, candidate: Candidate) -> float:
        """Rank an environment as it becomes idle; when it is used next only an oracle may ask."""

    def evicted(self, priority: float) -> None:
        """Note what went."""


class LeastRecentlyUsed:
    """Whoever idles longest goes first."""

    def priority(self, now: float, next_use: float, candidate: Candidate) -> float:
        """Rank by the time of the last use alone."""
        del next_use, candidate
        return now

    def evicted(self, priority: float) -> None:
        """Forget it: recency does not age."""


class FarthestNextUse:
    """Whoever is needed last goes first (Belady, 1966): an oracle, to tell what order can do."""

    def priority(self, now: float, next_use: float, candidate: Candidate) -> float:
        """Rank by the next use alone; a spare environment's is not known, and last."""
        del now, candidate
        return -next_use

    def evicted(self, priority: float) -> None:
        """Forget it."""


class Greedy:
    """The autoscaler's own order."""

    def __init__(self) -> None:
        self._order = GreedyDual()

    def priority(self, now: float, next_use: float, candidate: Candidate) -> float:
        """Rank by what missing it costs."""
        del now, next_use
        return self._order.priority(candidate)

    def evicted(self, priority: float) -> None:
        """Let the others age."""
        self._order.evicted(priority)


@dataclass(frozen=True)
class Policy:
    """A policy by its parts."""

    name: str
    keep: Callable[[IdleTimes, int], KeepAlive]
    """Asked with the function's idle times and how many other environments it has."""
    eviction: Callable[[], Eviction] = LeastRecentlyUsed


SPEC = KeepAliveSpec()
FIXED = Policy("fixed 10 min", lambda history, others: fixed(history, SPEC, others=others))
HYBRID = Policy(
    "hybrid histogram (ours)",
    lambda history, others: decide(history, SPEC, others=others),
    Greedy,
)
LRU = Policy("LRU", lambda _history, _others: KeepAlive(0.0, math.inf))
GREEDY_DUAL = Policy(
    "greedy-dual (ours)", lambda _history, _others: KeepAlive(0.0, math.inf), Greedy
)
CLAIRVOYANT = Policy("next calls known, histogram", HYBRID.keep, FarthestNextUse)
