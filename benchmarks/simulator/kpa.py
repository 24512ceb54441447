"""Knative's pod autoscaler (KPA): how many pods a revision should have; `decide`, pure.

The rules are Knative's own: docs ("Configuring the autoscaler", "Additional autoscaling
configuration for KPA"), the defaults of the ConfigMap config-autoscaler, and what
pkg/autoscaler/scaling/autoscaler.go does in the corners. Concurrency is what runs and what waits at
the activator. `knative` plays a trace with it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

__all__ = ["Concurrency", "Observed", "Panic", "Spec", "decide"]


@dataclass(frozen=True, slots=True)
class Spec:
    """The defaults of config-autoscaler."""

    tick_seconds: float = 2.0
    stable_seconds: float = 60.0
    panic_seconds: float = 6.0
    """10 % of the stable window."""
    panic_threshold: float = 2.0
    """Pods wanted by the panic window over pods ready, at which panic begins: 200 %."""
    target: float = 0.7
    """Calls at once per pod: 70 % of the one that it can take."""
    most_up: float = 1000.0
    most_down: float = 2.0
    """By what factor the pods may change at a tick."""
    grace_seconds: float = 30.0
    """The longest that the last pod stays on after the decision for zero."""


@dataclass(frozen=True, slots=True)
class Panic:
    """While calls surge, the number of pods does not fall."""

    since: float
    """When the surge was last seen."""
    pods: int


@dataclass(frozen=True, slots=True)
class Observed:
    """A revision at a tick."""

    stable: float
    """Mean concurrency in the stable window."""
    panicky: float
    """The same in the panic window."""
    ready: int
    """Pods that are ready."""


def decide(
    now: float, observed: Observed, panic: Panic | None, spec: Spec
) -> tuple[int, Panic | None]:
    """Return the pods wanted, and the panic that holds from now on."""
    pods = max(1, observed.ready)
    surge = math.ceil(observed.panicky / spec.target)
    if surge / pods >= spec.panic_threshold:
        panic = Panic(now, panic.pods if panic else 0)
    elif panic and now - panic.since > spec.stable_seconds:
        panic = None
    wanted = _clamp(math.ceil(observed.stable / spec.target), pods, spec)
    if panic is None:
        return wanted, None
    wanted = max(wanted, _clamp(surge, pods, spec), panic.pods)
    return wanted, Panic(panic.since, wanted)


def _clamp(wanted: int, pods: int, spec: Spec) -> int:
    lowest, highest = math.floor(pods / spec.most_down), math.ceil(pods * spec.most_up)
    return min(max(wanted, lowest), highest)


class Concurrency:
    """How many calls there are at once, and were on average in the seconds past."""

    def __init__(self, longest: float) -> None:
        """Remember so many seconds."""
        self.level = 0
        self._longest = longest
        self.since = 0.0
        """When it last changed."""
        self._area = 0.0
        self._began = 0.0
        self._changes: deque[tuple[float, float, int]] = deque([(0.0, 0.0, 0)])

    def change(self, now: float, by: int) -> None:
        """Note that a call came (1) or ended (-1)."""
        if not self.level and now - self.since >= self._longest:
            self._began = now
        self._area += self.level * (now - self.since)
        self.since = now
        self.level += by
        self._changes.append((now, self._area, self.level))
        while len(self._changes) > 1 and self._changes[1][0] <= now - self._longest:
            self._changes.popleft()

    def mean(self, now: float, seconds: float) -> float:
        """Return the mean of the last seconds; after a long quiet, of those since it ended."""
        seconds = min(seconds, now - self._began)
        if seconds <= 0:
            return self.level
        area = self._area + self.level * (now - self.since)
        return (area - self._area_at(now - seconds)) / seconds

    def _area_at(self, moment: float) -> float:
        for at, area, level in reversed(self._changes):
            if at <= moment:
                return area + level * (moment - at)
        return 0.0
