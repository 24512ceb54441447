"""The writes that queues commit in groups: what a writer waits for, as a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .interface import Lane, QueueFullError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .interface import Event, Lease, Verdict

__all__ = ["Enqueue", "Outcome", "Settle", "check_room"]


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Keep these events, all or none."""

    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Settle:
    """Let this lease end so."""

    lease: Lease
    verdict: Verdict


Outcome = list[bool] | None
"""Of an `Enqueue`, which of its events are new; of a `Settle`, nothing."""


def check_room(events: Sequence[Event], kept: Mapping[Lane, int], largest: int) -> None:
    """Raise QueueFullError where a function that keeps that many may not keep these as well."""
    for lane, count in Counter(event.lane for event in events).items():
        if kept.get(lane, 0) + count > largest:
            raise QueueFullError(lane, largest)
