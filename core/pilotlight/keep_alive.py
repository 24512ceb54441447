"""How long an idle environment waits for its function's next call: `decide`, pure, per function.

The hybrid histogram of Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020): a function's
idle times, in bins of a minute, say when its next call is likely. Where they say nothing yet, or
nothing sharp, a fixed time holds. `greedy_dual` has the other half: who goes when memory is short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BINS", "BIN_SECONDS", "IdleTimes", "KeepAlive", "KeepAliveSpec", "decide"]

BINS = 240
"""Four hours; a longer idle time is out of range."""
BIN_SECONDS = 60.0


@dataclass(slots=True)
class IdleTimes:
    """How long a function idled between its calls: a histogram."""

    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    beyond: int = 0
    """Idle times out of range."""
    _within: int = field(init=False, repr=False)
    _squares: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.bins) != BINS or min(self.bins) < 0 or self.beyond < 0:
            raise ValueError(f"a histogram of idle times has {BINS} counts, none negative")
        self._within = sum(self.bins)
        self._squares = sum(count * count for count in self.bins)

    @property
    def count(self) -> int:
        """Idle times seen."""
        return self._within + self.beyond

    def add(self, seconds: float) -> None:
        """Count an idle time."""
        if seconds < 0:
            raise ValueError("an idle time is not negative")
        if seconds >= BINS * BIN_SECONDS:
            self.beyond += 1
            return
        index = int(seconds / BIN_SECONDS)
        # (n + 1)² - n²: kept along, because `decide` runs once a call.
        self._squares += 2 * self.bins[index] + 1
        self.bins[index] += 1
        self._within += 1

    def merged(self, other: IdleTimes) -> IdleTimes:
        """Give what two gateways saw of one function as one histogram."""
        bins = [one + two for one, two in zip(self.bins, other.bins, strict=True)]
        return IdleTimes(bins, self.beyond + other.beyond)

    def variation(self) -> float:
        """Give the coefficient of variation of the bins' counts; 0 without data or when flat."""
        if not self._within:
            return 0.0
        return math.sqrt(max(0.0, BINS * self._squares / self._within**2 - 1))

    def percentiles(self, low: float, high: float) -> tuple[float, float]:
        """Give two percentiles in seconds: `low` rounded down to its bin, `high` up to its end.

        Of the idle times within range; there must be some.
        """
        seen = 0
        first: int | None = None
        for index, count in enumerate(self.bins):
            seen += count
            if first is None and count and seen >= low * self._within:
                first = index
            if count and seen >= high * self._within:
                return (first or 0) * BIN_SECONDS, (index + 1) * BIN_SECONDS
        raise ValueError("no idle time within range")

    def to_json(self) -> dict[str, Any]:
        """Give the histogram as JSON: the bins that have a count, by their index."""
        bins = {str(index): count for index, count in enumerate(self.bins) if count}
        return {"bins": bins, "beyond": self.beyond}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> IdleTimes:
        """Read what `to_json` wrote; raises ValueError or KeyError for anything else."""
        bins = [0] * BINS
        for index, count in document["bins"].items():
            if not 0 <= int(index) < BINS:
                raise ValueError(f"no bin {index}")
            bins[int(index)] = count
        return cls(bins, document["beyond"])


@dataclass(frozen=True, slots=True)
class KeepAliveSpec:
    """The policy's constants; the defaults are the paper's, but for `extra_seconds`."""

    fixed_seconds: float = 600.0
    """How long an environment waits while the histogram says nothing."""
    extra_seconds: float = 300.0
    """How long an environment waits while its function has others. The histogram knows when the
    next call comes, not whether two come at once; half the fixed time pays for what it keeps."""
    minimum_samples: int = 10
    minimum_variation: float = 2.0
    """Below it the histogram is too flat to tell one idle time from another."""
    most_beyond: float = 0.5
    """Share of idle times out of range above which the histogram is not asked."""
    head: float = 0.05
    tail: float = 0.99
    margin: float = 0.1
    refill_seconds: float = 3.0
    """How long an environment takes to start: a shorter absence saves nothing."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """What to do with an environment that has become idle."""

    prewarm_after: float
    """Seconds to be without any before one is started again; 0: keep the one there is."""
    keep_for: float
    """Seconds that it waits, from now or from its pre-warming."""


def decide(history: IdleTimes | None, spec: KeepAliveSpec, *, others: int = 0) -> KeepAlive:
    """Say how long an environment waits whose function has so many others, busy or idle.

    Idle times are relative, so that there is no `now`. None is a function nothing is known of.
    """
    if others:
        return KeepAlive(0.0, spec.extra_seconds)
    if history is None or not _telling(history, spec):
        return KeepAlive(0.0, spec.fixed_seconds)
    head, tail = history.percentiles(spec.head, spec.tail)
    prewarm = head * (1 - spec.margin)
    if prewarm <= spec.refill_seconds:
        prewarm = 0.0
    return KeepAlive(prewarm, tail * (1 + spec.margin) - prewarm)


def _telling(history: IdleTimes, spec: KeepAliveSpec) -> bool:
    return (
        history.count >= spec.minimum_samples
        and history.beyond <= spec.most_beyond * history.count
        and history.variation() >= spec.minimum_variation
    )
