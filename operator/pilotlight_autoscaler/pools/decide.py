"""How many generic pods should wait: `decide`, pure, one pool at a time.

A pool is a namespace's warm pods of one runtime and size class. It holds what is likely (99 %) to
be claimed while a pod that replaces one starts, and nothing where nothing is called. `pools.keeper`
carries decisions out; the simulator calls the same function in virtual time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["ClaimRate", "PoolDecision", "PoolKey", "PoolObserved", "PoolSpec", "decide", "quantile"]

CERTAINTY = 0.99
TIME_CONSTANT = 60.0
"""Seconds over which the rate of claims is averaged."""


class PoolKey(NamedTuple):
    """Which pool."""

    namespace: str
    runtime: str


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A pool's bounds, from its `Runtime`."""

    minimum: int = 1
    maximum: int = 20
    idle_seconds: float = 3600.0
    """Without interest (a claim, a new function) for that long, a pool goes to zero."""
    recipe: str = ""
    """How its pods are made; those made otherwise are replaced."""


@dataclass(frozen=True, slots=True)
class PoolObserved:
    """What a pool is now."""

    ready: int
    starting: int
    rate: float
    """Claims per second."""
    refill_seconds: float
    """How long a generic pod takes to start."""
    last_interest: float | None
    """When somebody last needed the pool; None: nobody ever did, as far as is known."""


@dataclass(frozen=True, slots=True)
class PoolDecision:
    """What to do about it."""

    start: int = 0
    stop: int = 0


def decide(now: float, observed: PoolObserved, spec: PoolSpec) -> PoolDecision:
    """Compare what a pool has with what it should have."""
    wanted = _wanted(now, observed, spec)
    have = observed.ready + observed.starting
    if wanted >= have:
        return PoolDecision(start=wanted - have)
    # One more than wanted is no reason to stop a pod that the next claim would start anew.
    kept = min(spec.maximum, wanted + 1) if wanted else 0
    return PoolDecision(stop=max(0, observed.ready - kept))


def _wanted(now: float, observed: PoolObserved, spec: PoolSpec) -> int:
    if observed.last_interest is None or now - observed.last_interest >= spec.idle_seconds:
        return 0
    expected = observed.rate * observed.refill_seconds
    return min(spec.maximum, max(spec.minimum, quantile(expected)))


def quantile(mean: float, certainty: float = CERTAINTY) -> int:
    """Return the least n that a Poisson variable exceeds with less than the rest of `certainty`."""
    if mean <= 0:
        return 0
    term = total = math.exp(-min(mean, 700.0))
    count = 0
    while total < certainty:
        count += 1
        term *= mean / count
        total += term
        if count > mean + 20 * math.sqrt(mean) + 20:  # floating point has run out before certainty
            break
    return count


@dataclass(slots=True)
class ClaimRate:
    """Claims per second, exponentially averaged; a rate that nobody adds to decays."""

    _value: float = 0.0
    _at: float = field(default=-math.inf)

    def add(self, now: float) -> None:
        """Count a claim."""
        self._value = self.at(now) + 1 / TIME_CONSTANT
        self._at = now

    def at(self, now: float) -> float:
        """Return the rate now."""
        if self._value == 0.0:
            return 0.0
        return self._value * math.exp(-(now - self._at) / TIME_CONSTANT)
