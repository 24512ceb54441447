"""One warm pool of the simulation: the autoscaler's own `pools.decide`, on virtual time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pilotlight_autoscaler.pools.decide import ClaimRate, PoolObserved, PoolSpec, decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from .outcome import Outcome

__all__ = ["GenericPool", "Timing"]

TICK_SECONDS = 60.0
"""How often a pool looks whether it has become too large."""


class Clock(Protocol):
    """Virtual time, and what happens later in it."""

    now: float

    def at(self, when: float, action: Callable[[object], None], subject: object) -> None:
        """Let something happen later."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What starts take, in seconds, before the runtime's own init."""

    specialise_seconds: float = 0.013
    """A generic pod takes its function (the project's spike: 12.6 ms p50)."""
    pod_seconds: float = 3.0
    """A pod that nobody started before."""
    generic_megabytes: float = 26.6
    """Resident memory of a generic pod (the same spike)."""


class GenericPool:
    """The generic pods of one runtime."""

    def __init__(self, clock: Clock, timing: Timing, outcome: Outcome) -> None:
        self._clock = clock
        self._timing = timing
        self._outcome = outcome
        self._ready = 0
        self._starting = 0
        self._rate = ClaimRate()
        self._last_claim = clock.now
        self._since = clock.now
        self._spec = PoolSpec()
        self._tick(None)

    def take(self) -> bool:
        """Take a generic pod; tells whether one was ready."""
        self._last_claim = self._clock.now
        self._rate.add(self._clock.now)
        ready = self._ready > 0
        if ready:
            self._change(-1)
        self._adjust()
        return ready

    def settle(self) -> None:
        """Count the memory of those that wait, up to now."""
        megabytes = self._ready * self._timing.generic_megabytes
        self._outcome.wasted(megabytes, self._since, self._clock.now)
        self._since = self._clock.now

    def _change(self, count: int) -> None:
        self.settle()
        self._ready += count

    def _adjust(self) -> None:
        now = self._clock.now
        observed = PoolObserved(
            self._ready, self._starting, self._rate.at(now), self._timing.pod_seconds,
            self._last_claim,
        )  # fmt: skip
        decision = decide(now, observed, self._spec)
        if decision.stop:
            self._change(-decision.stop)
        for _ in range(decision.start):
            self._starting += 1
            self._clock.at(now + self._timing.pod_seconds, self._refilled, None)

    def _refilled(self, _: object) -> None:
        self._starting -= 1
        self._change(1)

    def _tick(self, _: object) -> None:
        self._adjust()
        self._clock.at(self._clock.now + TICK_SECONDS, self._tick, None)
