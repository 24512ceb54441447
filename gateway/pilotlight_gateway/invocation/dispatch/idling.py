"""How long environments of a function idle here before they are given back, and when to return.

What `pilotlight.keep_alive` decides for one environment, applied to those that this gateway holds:
`dispatcher` tells when a function rests and when it is called, and carries the verdicts out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight.keep_alive import IdleTimes, KeepAlive, KeepAliveSpec, decide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.claims import RevisionKey

    from .environment import Environment
    from .queue import RevisionQueue

__all__ = ["Idling", "Rest"]

MOST_FUNCTIONS = 10_000
"""Functions whose idle times are remembered; the one unused longest is forgotten first."""


@dataclass(slots=True)
class Rest:
    """What is known of a function's rests between calls."""

    since: float | None = None
    """When the last of its invocations ended; None while one runs or before the first."""
    history: IdleTimes = field(default_factory=IdleTimes)
    prewarm_at: float | None = None
    """When to have an environment again though nobody calls."""
    prewarmed: bool = False
    """Whether the environment that idles was started for a call that is expected."""
    _verdict: KeepAlive | None = None
    """On the last environment; holds for a whole rest, and is asked for every few seconds."""

    def called(self, now: float) -> None:
        """Note a call, the first one after a rest."""
        if self.since is not None:
            self.history.add(now - self.since)
            self._verdict = None
        self.since = self.prewarm_at = None
        self.prewarmed = False

    def verdict(self, spec: KeepAliveSpec, *, others: int) -> KeepAlive:
        """Say how long an environment waits whose function has so many others."""
        if others:
            return decide(self.history, spec, others=others)
        self._verdict = self._verdict or decide(self.history, spec)
        return self._verdict


class Idling:
    """The rests of all functions that this gateway was asked for."""

    def __init__(self, spec: KeepAliveSpec) -> None:
        self._spec = spec
        self._rests: OrderedDict[tuple[str, str], Rest] = OrderedDict()
        self._expected: dict[tuple[str, str], RevisionKey] = {}

    def of(self, revision: RevisionKey) -> Rest:
        """Give what is known of a revision's function, whatever revisions it had before."""
        key = revision.namespace, revision.function
        rest = self._rests.setdefault(key, Rest())
        self._rests.move_to_end(key)
        if len(self._rests) > MOST_FUNCTIONS:
            self._rests.popitem(last=False)
        return rest

    def overdue(
        self, revision: RevisionKey, queue: RevisionQueue, now: float
    ) -> Iterator[Environment]:
        """Give the idle environments that have waited long enough, the coldest first."""
        others = len(queue.free) + queue.busy
        for environment in list(queue.free):
            others -= 1
            if not self._is_overdue(revision, queue, environment, others, now):
                return
            yield environment

    def due(self, now: float) -> list[RevisionKey]:
        """Give the revisions of which an environment should be started for an expected call."""
        due = [key for key, rest in self._rests.items() if _is_due(rest, now)]
        for key in due:
            rest = self._rests[key]
            rest.prewarm_at, rest.prewarmed = None, True
        return [self._expected.pop(key) for key in due if key in self._expected]

    def _is_overdue(
        self,
        revision: RevisionKey,
        queue: RevisionQueue,
        environment: Environment,
        others: int,
        now: float,
    ) -> bool:
        rest = queue.rest
        verdict = rest.verdict(self._spec, others=others)
        idle = now - environment.idle_since
        if others or rest.prewarmed or not verdict.prewarm_after:
            return idle >= verdict.keep_for
        rest.prewarm_at = environment.idle_since + verdict.prewarm_after
        self._expected[revision.namespace, revision.function] = revision
        return True


def _is_due(rest: Rest, now: float) -> bool:
    return rest.prewarm_at is not None and rest.prewarm_at <= now
