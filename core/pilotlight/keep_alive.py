"""How long an idle environment waits for its function's next call: `decide`, pure, per function.

After the hybrid histogram of Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020): a
function's idle times, in bins of a minute, say when its next call is likely, and the last ones out
of the histogram's range when a seldom call is. Where they say nothing yet, a fixed time holds.
`greedy_dual` has the other half: who goes when memory is short.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = [
    "BINS",
    "BIN_SECONDS",
    "RULES",
    "IdleTimes",
    "KeepAlive",
    "KeepAliveSpec",
    "Rule",
    "decide",
    "fixed",
]

BINS = 240
"""Four hours; a longer idle time is out of range."""
BIN_SECONDS = 60.0
LAST = 4
"""Idle times out of range that are remembered one by one."""


@dataclass(slots=True)
class IdleTimes:
    """How long a function idled between its calls: a histogram, and the last ones beyond it."""

    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    count: int = 0
    """Idle times seen, in range or not."""
    beyond: int = 0
    """Idle times out of range."""
    total: float = 0.0
    """Their sum in seconds."""
    last_beyond: tuple[float, ...] = ()
    """The last `LAST` of them in seconds, oldest first."""

    def add(self, seconds: float) -> None:
        """Count an idle time."""
        if seconds < 0:
            raise ValueError("an idle time is not negative")
        self.count += 1
        self.total += seconds
        if seconds < BINS * BIN_SECONDS:
            self.bins[int(seconds / BIN_SECONDS)] += 1
        else:
            self.beyond += 1
            self.last_beyond = (*self.last_beyond, seconds)[-LAST:]

    def best_stretch(self, worth: float) -> tuple[float, float] | None:
        """Return the seconds from and to which waiting would have been worth most, if any was.

        A call met is worth so many seconds of waiting. A minute's gain is what it met, less what
        all that still idled in it would have waited; the best stretch of minutes is the contiguous
        one with the greatest sum (Bentley, "Programming Pearls", column 8), found in one pass.
        """
        best = gain = 0.0
        stretch: tuple[int, int] | None = None
        since = 0
        left = self.count
        for index, met in enumerate(self.bins):
            if left == self.beyond:
                break
            if gain <= 0:
                gain, since = 0.0, index
            # Those that were met waited for half of their minute on average.
            gain += met * worth - (left - met / 2) * BIN_SECONDS
            left -= met
            if gain > best:
                best, stretch = gain, (since, index + 1)
        return stretch and (stretch[0] * BIN_SECONDS, stretch[1] * BIN_SECONDS)


@dataclass(frozen=True, slots=True)
class KeepAliveSpec:
    """The policy's constants; the paper's, where nothing else is said."""

    fixed_seconds: float = 600.0
    """How long an environment waits while too few idle times are known."""
    extra_seconds: float = 300.0
    """How long an environment waits while its function has others. Idle times know when the next
    call comes, not whether two come at once; half the fixed time pays for what they keep. Ours."""
    hopeless_seconds: float = BIN_SECONDS
    """How long one waits where idle times say that no wait is worth it. Ours."""
    minimum_samples: int = 10
    worth_seconds: float = 1800.0
    """Seconds of waiting that meeting a call is worth, at least; for a function that idles longer
    on average, as long as that. Ours: the paper waits for all idle times from the 5th to the 99th
    percentile, whatever the last few of them cost."""
    most_beyond: float = 0.5
    """Share of idle times out of range above which the last of those say when the next call is
    expected, where the paper fits a model of the time series (ARIMA)."""
    longest_wait: float = 86_400.0
    """How far those may lie apart, margins included: seconds of waiting for a seldom call. Ours."""
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


class Rule(Protocol):
    """What says how long an environment waits; pure."""

    def __call__(
        self, history: IdleTimes | None, spec: KeepAliveSpec, *, others: int = 0
    ) -> KeepAlive:
        """Decide about an environment whose function has so many others."""
        ...


def decide(history: IdleTimes | None, spec: KeepAliveSpec, *, others: int = 0) -> KeepAlive:
    """Say how long an environment waits whose function has so many others, busy or idle.

    Idle times are relative, so that there is no `now`. None is a function nothing is known of.
    """
    if others:
        return KeepAlive(0.0, spec.extra_seconds)
    if history is None:
        return KeepAlive(0.0, spec.fixed_seconds)
    if history.beyond > spec.most_beyond * history.count:
        low, high = min(history.last_beyond), max(history.last_beyond)
        together = high * (1 + spec.margin) - low * (1 - spec.margin) <= spec.longest_wait
        return _between((low, high) if together else None, spec)
    if history.count < spec.minimum_samples:
        return KeepAlive(0.0, spec.fixed_seconds)
    worth = max(spec.worth_seconds, history.total / history.count)
    return _between(history.best_stretch(worth), spec)


def fixed(history: IdleTimes | None, spec: KeepAliveSpec, *, others: int = 0) -> KeepAlive:
    """Let every environment wait as long, whatever its function did before."""
    del history, others
    return KeepAlive(0.0, spec.fixed_seconds)


RULES: dict[str, Rule] = {"hybrid": decide, "fixed": fixed}
"""How long environments wait, by the name that a gateway's `keep_alive` setting gives."""


def _between(stretch: tuple[float, float] | None, spec: KeepAliveSpec) -> KeepAlive:
    """Be there in a stretch of idle time, with a margin on both sides."""
    if stretch is None:
        return KeepAlive(0.0, spec.hopeless_seconds)
    since, until = stretch[0] * (1 - spec.margin), stretch[1] * (1 + spec.margin)
    if since <= spec.refill_seconds:
        since = 0.0
    return KeepAlive(since, until - since)
