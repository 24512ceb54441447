"""The writes that queues commit in groups: what a writer waits for, as a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .interface import QueueFullError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .interface import Event, EventLease, FunctionKey, Limits, Settlement

__all__ = ["Enqueue", "Room", "Settle", "WriteResult"]


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


class Room:
    """What the functions of a group of writes keep, and what they may keep beside it."""

    def __init__(
        self,
        limits: Limits,
        events: Mapping[FunctionKey, int],
        function_bytes: Mapping[FunctionKey, int],
        account_bytes: Mapping[str, int],
    ) -> None:
        self._limits = limits
        self._events = Counter(events)
        self._function_bytes = Counter(function_bytes)
        self._account_bytes = Counter(account_bytes)

    def take(self, events: Sequence[Event]) -> None:
        """Count events that are to be kept, all or none; raises QueueFullError."""
        limits = self._limits
        counts: Counter[FunctionKey] = Counter()
        sizes: Counter[FunctionKey] = Counter()
        for event in events:
            counts[event.function_key] += 1
            sizes[event.function_key] += len(event.payload)
        accounts: Counter[str] = Counter()
        for key, size in sizes.items():
            accounts[key.namespace] += size
        for key in counts:
            if self._events[key] + counts[key] > limits.events:
                raise QueueFullError(key, f"{limits.events} events")
            if self._function_bytes[key] + sizes[key] > limits.function_bytes:
                raise QueueFullError(key, f"{limits.function_bytes} bytes")
            if self._account_bytes[key.namespace] + accounts[key.namespace] > limits.account_bytes:
                raise QueueFullError(key, f"{limits.account_bytes} bytes of its account")
        self._events.update(counts)
        self._function_bytes.update(sizes)
        self._account_bytes.update(accounts)
