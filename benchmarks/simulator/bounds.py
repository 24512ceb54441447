"""What keep-alive could reach on a trace: bounds for policies that know more than any can.

Who knows the next call has an environment just in time: only a function's first call ever is cold,
and nothing idles. Who knows each function's law, but not its next call, can only wait where calls
are dense. Both bounds leave out environments for calls that come at once. `report` them beside what
`simulation` measures.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .outcome import Tally, percentile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .trace import Profile

__all__ = ["PRICES", "Bounds", "Frontier", "best_window", "bounds"]

SHARE = 0.75
"""The percentile that is bounded."""
SAMPLE = 200
"""Idle times that stand for a function's law."""
PRICES = [2.0**exponent for exponent in range(24)]
"""Seconds of waiting that one call met is worth: up to half a year, that is always on."""
OTHER_DICE = 0x5EED


@dataclass(frozen=True, slots=True)
class Frontier:
    """The least that must be waited, per idle time, for a share of calls to be cold: a law's."""

    points: tuple[tuple[float, float], ...]
    """Seconds and cold share, from never waiting to always: convex."""

    @classmethod
    def of(cls, idle_times: list[float]) -> Frontier:
        """Take these idle times for the law."""
        ordered = sorted(idle_times)
        points = [(0.0, 1.0)]
        for price in PRICES:
            seconds, cold = best_window(ordered, price)
            if cold < points[-1][1]:
                points.append((seconds, cold))
        return cls(tuple(points))

    def seconds(self, cold: float) -> float:
        """Return the seconds for that cold share; between two points, now one and now the other."""
        for (less, colder), (more, warmer) in itertools.pairwise(self.points):
            if warmer <= cold <= colder:
                return less + (more - less) * (colder - cold) / (colder - warmer)
        return self.points[-1][0]


def best_window(ordered: list[float], price: float) -> tuple[float, float]:
    """Return what the best window costs in seconds, and misses, both per idle time.

    The window ends where an idle time does, or could wait less; so it begins. One pass, as
    `pilotlight.keep_alive.IdleTimes.best_stretch` has it.
    """
    count = len(ordered)
    best = gain = waited = 0.0
    met = 0
    window = (0.0, 0)
    before = 0.0
    for index, idle in enumerate(ordered):
        cost = (count - index) * (idle - before)
        before = idle
        if gain <= cost:
            gain = waited = 0.0
            met = 0
        else:
            gain -= cost
            waited += cost
        gain, met = gain + price, met + 1
        if gain > best:
            best, window = gain, (waited, met)
    return window[0] / count, 1 - window[1] / count


@dataclass(frozen=True, slots=True)
class Bounds:
    """A trace's."""

    clairvoyant: float
    """Cold-start rate at the percentile for who knows the next call."""
    unheard: float
    """Share of the functions of which more than half of the calls come before any idle time of
    theirs is over: nobody can have learnt when."""
    gigabyte_seconds: float
    """Least idle memory for the percentile at the wanted rate, for who knows the laws."""


def bounds(
    profiles: list[Profile], *, seconds: float, counted_from: float, most_per_day: float,
    cold: float,
) -> Bounds:  # fmt: skip
    """Bound what a policy needs for three quarters of the called functions to have that rate."""
    first_calls: list[Tally] = []
    unheard = 0
    needed = []
    for profile in profiles:
        times = list(_idle_times(profile, seconds, most_per_day))
        calls = [index for index, (at, _) in enumerate(times) if at >= counted_from]
        if not calls:
            continue
        first_calls.append(Tally(len(calls), int(calls[0] == 0)))
        unheard += sum(index <= 1 for index in calls) > len(calls) / 2
        idles = sum(times[index][1] is not None for index in calls)
        waits = _frontier(profile, most_per_day).seconds(cold)
        needed.append(waits * idles * profile.megabytes / 1024)
    cheapest = sorted(needed)[: math.ceil(SHARE * len(needed))]
    return Bounds(
        percentile([one.cold_rate for one in first_calls], SHARE),
        unheard / max(1, len(first_calls)),
        sum(cheapest),
    )


def _frontier(profile: Profile, most_per_day: float) -> Frontier:
    """Return a function's law, from as many of its idle times as it takes, on other dice."""
    other = replace(profile, seed=profile.seed ^ OTHER_DICE)
    known = (idle for _, idle in _idle_times(other, math.inf, most_per_day) if idle is not None)
    return Frontier.of(list(itertools.islice(known, SAMPLE)))


def _idle_times(
    profile: Profile, seconds: float, most_per_day: float
) -> Iterator[tuple[float, float | None]]:
    """Return each call's time and for how long its function had idled; None: not, or it is new."""
    end: float | None = None
    for call in profile.calls(seconds=seconds, most_per_day=most_per_day):
        yield call.at, call.at - end if end is not None and call.at >= end else None
        end = max(end or 0.0, call.at + call.seconds)
