"""How long environments of a function idle here before they are given back, and when to return.

What `pilotlight.keep_alive` decides for one environment, applied to those that this gateway holds:
`queue` writes each function's `idle_history`, and `dispatcher` carries out what is found here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .idle_history import IdleHistory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pilotlight.claims import RevisionKey
    from pilotlight.keep_alive import KeepAliveSpec, Rule

    from .environment import Environment
    from .queue import RevisionQueue

__all__ = ["Idling"]

MOST_FUNCTIONS = 10_000
"""Functions whose idle times are remembered, and as many tenants; the one unused longest is
forgotten first."""


class Idling:
    """The idle times of all functions that this gateway was asked for."""

    def __init__(self, spec: KeepAliveSpec, rule: Rule) -> None:
        self._rule = rule
        self._spec = spec
        self._histories: dict[bool, OrderedDict[RevisionKey, IdleHistory]] = {
            False: OrderedDict(),
            True: OrderedDict(),
        }
        """Of functions, and apart from them of tenants, of whom there may be any number; without
        the revision in their keys."""
        self._expected: dict[RevisionKey, RevisionKey] = {}

    def of(self, revision: RevisionKey) -> IdleHistory:
        """Return what is known of a revision's function, whatever revisions it had before."""
        key = revision._replace(revision="")
        histories = self._histories[bool(revision.tenant)]
        history = histories.setdefault(key, IdleHistory())
        histories.move_to_end(key)
        if len(histories) > MOST_FUNCTIONS:
            histories.popitem(last=False)
        return history

    def overdue(
        self, revision: RevisionKey, queue: RevisionQueue, now: float
    ) -> Iterator[Environment]:
        """Yield the idle environments that have waited long enough, the coldest first."""
        others = len(queue.free) + queue.busy
        for environment in list(queue.free):
            others -= 1
            if not self._is_overdue(revision, queue, environment, others, now):
                return
            yield environment

    def due(self, now: float) -> list[RevisionKey]:
        """Return the revisions of which an environment should be started for an expected call."""
        known = [item for histories in self._histories.values() for item in histories.items()]
        due = [(key, history) for key, history in known if _is_due(history, now)]
        for _, history in due:
            history.prewarm_at, history.prewarmed = None, True
        return [self._expected.pop(key) for key, _ in due if key in self._expected]

    def _is_overdue(
        self,
        revision: RevisionKey,
        queue: RevisionQueue,
        environment: Environment,
        others: int,
        now: float,
    ) -> bool:
        history = queue.idle_history
        decision = history.decide(self._rule, self._spec, others=others)
        idle = now - environment.idle_since
        if others or history.prewarmed or not decision.prewarm_after:
            return idle >= decision.keep_for
        history.prewarm_at = environment.idle_since + decision.prewarm_after
        self._expected[revision._replace(revision="")] = revision
        return True


def _is_due(history: IdleHistory, now: float) -> bool:
    return history.prewarm_at is not None and history.prewarm_at <= now
