"""Plays a trace as Knative would run it: one call at a time per pod, as many pods as KPA says.

Calls without a free pod wait at the activator. There is no pool: a new pod takes what one takes
elsewhere here, and the runtime's start. Memory is never short. `kpa` decides, on its tick.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .clock import VirtualClock
from .kpa import Concurrency, Observed, Panic, Spec, decide
from .outcome import Outcome, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pool import Timing
    from .trace import Call, Profile

__all__ = ["Knative"]

NAME = "Knative KPA"


@dataclass(slots=True, eq=False)
class _Revision:
    profile: Profile
    calls: Iterator[Call]
    tally: Tally
    concurrency: Concurrency
    waiting: deque[Call] = field(default_factory=deque)
    free: list[float] = field(default_factory=list)
    """Since when each free pod idles; the last is taken first."""
    busy: int = 0
    starting: int = 0
    wanted: int = 0
    panic: Panic | None = None
    zero_at: float | None = None
    """When the last pod goes unless a call comes."""
    next_tick: float | None = None

    @property
    def ready(self) -> int:
        return len(self.free) + self.busy


class Knative:
    """One trace with Knative's autoscaler."""

    def __init__(self, timing: Timing, *, counted_from: float = 0.0) -> None:
        """Count from `counted_from` on."""
        self._timing = timing
        self._spec = Spec()
        self._clock = VirtualClock()
        self._outcome = Outcome(NAME, counted_from)

    def run(
        self, profiles: list[Profile], *, seconds: float, most_per_day: float = math.inf
    ) -> Outcome:
        """Play the first `seconds` of these functions' calls."""
        revisions = [
            _Revision(
                profile,
                profile.calls(seconds=seconds, most_per_day=most_per_day),
                self._outcome.tally(),
                Concurrency(self._spec.stable_seconds),
            )
            for profile in profiles
        ]
        for revision in revisions:
            self._next_call(revision)
        self._clock.run_until(seconds)
        for revision in revisions:
            while revision.free:
                self._end_wait(revision, newest=True)
        return self._outcome

    def _next_call(self, revision: _Revision) -> None:
        call = next(revision.calls, None)
        if call is not None:
            self._clock.at(call.at, self._arrive, (revision, call))

    def _arrive(self, subject: tuple[_Revision, Call]) -> None:
        revision, call = subject
        self._next_call(revision)
        revision.concurrency.change(self._clock.now, 1)
        if revision.free:
            self._end_wait(revision, newest=True)
            self._outcome.warm(revision.tally, call.at)
            self._serve(revision, call)
        else:
            revision.waiting.append(call)
        if revision.next_tick is None:
            self._tick(revision)
        else:
            self._tick_at(revision, self._tick_after(self._clock.now))

    def _end_wait(self, revision: _Revision, *, newest: bool) -> None:
        """Take out the free pod that was used last, or the one that idles longest."""
        since = revision.free.pop(-1 if newest else 0)
        self._outcome.wasted(revision.profile.megabytes, since, self._clock.now)

    def _serve(self, revision: _Revision, call: Call) -> None:
        revision.busy += 1
        self._clock.at(self._clock.now + call.seconds, self._finish, revision)

    def _finish(self, revision: _Revision) -> None:
        revision.concurrency.change(self._clock.now, -1)
        revision.busy -= 1
        self._offer(revision)

    def _started(self, revision: _Revision) -> None:
        revision.starting -= 1
        self._offer(revision)

    def _offer(self, revision: _Revision) -> None:
        """Give a pod to the call that waits longest, or let it wait for one, or go."""
        if revision.waiting:
            call = revision.waiting.popleft()
            self._outcome.cold(revision.tally, call.at, self._clock.now - call.at)
            self._serve(revision, call)
        elif revision.ready < max(1, revision.wanted):
            revision.free.append(self._clock.now)

    def _due(self, revision: _Revision) -> None:
        if revision.next_tick == self._clock.now:
            self._tick(revision)

    def _tick(self, revision: _Revision) -> None:
        """Decide: at once where a call finds no pods, else on the tick while there are any."""
        now, spec, seen = self._clock.now, self._spec, revision.concurrency
        observed = Observed(
            seen.mean(now, spec.stable_seconds),
            seen.mean(now, spec.panic_seconds),
            revision.ready,
        )
        revision.wanted, revision.panic = decide(now, observed, revision.panic, spec)
        self._scale(revision, self._with_grace(revision))
        revision.next_tick = None
        if revision.ready or revision.starting or revision.waiting:
            self._tick_at(revision, self._tick_after(self._unchanged_until(revision)))

    def _unchanged_until(self, revision: _Revision) -> float:
        """Return until when, without a call, ticks would decide the same: they are passed over."""
        now, spec, seen = self._clock.now, self._spec, revision.concurrency
        if seen.level or now - seen.since < spec.panic_seconds or revision.starting:
            return now
        if revision.panic:
            return max(now, revision.panic.since + spec.stable_seconds)
        if revision.zero_at is not None:
            return max(now, revision.zero_at - spec.tick_seconds)
        if revision.wanted == 1:
            return max(now, seen.since + spec.stable_seconds - spec.tick_seconds)
        return now

    def _tick_after(self, moment: float) -> float:
        tick = self._spec.tick_seconds
        return (math.floor(moment / tick) + 1) * tick

    def _tick_at(self, revision: _Revision, when: float) -> None:
        if revision.next_tick is None or when < revision.next_tick:
            revision.next_tick = when
            self._clock.at(when, self._due, revision)

    def _with_grace(self, revision: _Revision) -> int:
        """Return the pods wanted, among them the last one during its grace."""
        if revision.wanted:
            revision.zero_at = None
            return revision.wanted
        if revision.zero_at is None:
            revision.zero_at = self._clock.now + self._spec.grace_seconds
        return 1 if self._clock.now < revision.zero_at else 0

    def _scale(self, revision: _Revision, pods: int) -> None:
        """Start what is missing; end what is too many, of those that are free."""
        for _ in range(pods - revision.ready - revision.starting):
            revision.starting += 1
            self._outcome.started(self._clock.now)
            delay = self._timing.pod_seconds + revision.profile.init_seconds
            self._clock.at(self._clock.now + delay, self._started, revision)
        while revision.free and revision.ready > pods:
            self._end_wait(revision, newest=False)
