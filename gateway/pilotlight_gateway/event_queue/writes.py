"""The writes that queues commit in groups: what a writer waits for, as a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .interface import FunctionKey, QueueFullError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .interface import Event, EventLease, Settlement

__all__ = ["Enqueue", "Settle", "WriteResult", "check_room"]


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Keep these events, all or none."""

    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Settle:
    """Let this lease end so."""

    lease: EventLease
    settlement: Settlement


WriteResult = list[bool] | None
"""Of an `Enqueue`, which of its events are new; of a `Settle`, nothing."""


def check_room(events: Sequence[Event], kept: Mapping[FunctionKey, int], largest: int) -> None:
    """Raise QueueFullError where a function that keeps that many may not keep these as well."""
    for function, count in Counter(event.function_key for event in events).items():
        if kept.get(function, 0) + count > largest:
            raise QueueFullError(function, largest)
