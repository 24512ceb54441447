"""Gathers records into batches: so many, so long, so large, and no group twice at once. Pure.

A batch is due once it is full, once the window is over that its first record began, or once another
record would make its event larger than an invocation's may be (Lambda Developer Guide, "Batching
behavior"). Records of one group stay in order, and while a batch of theirs runs they wait.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pilotlight_gateway.invocation.invocation import LARGEST_EVENT

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Batcher", "Gathered"]

LARGEST_BATCH = LARGEST_EVENT - 4096
"""Bytes of a batch's records; the event has a frame around them."""
R = TypeVar("R")


@dataclass(slots=True, eq=False)  # frozen would cost thrice as much, for each record
class Gathered(Generic[R]):
    """A record that waits for its batch."""

    record: R
    size: int
    """Bytes, with what stands between records."""
    at: float
    """When it came."""
    group: str | None = None
    """Of records that must stay in order; None where none must."""


class Batcher(Generic[R]):
    """The records that wait; times are seconds on any one clock."""

    def __init__(self, most: int, window: float, largest: int = LARGEST_BATCH) -> None:
        self._most = most
        self._window = window
        self._largest = largest
        self._waiting: list[Gathered[R]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def batches(self) -> int:
        """How many batches wait, if all groups may go."""
        return math.ceil(len(self._waiting) / self._most)

    def add(self, gathered: Gathered[R]) -> None:
        """Take a record, the latest of all."""
        self._waiting.append(gathered)

    def take(self, now: float, busy: Collection[str] = ()) -> list[R] | None:
        """Return the next batch if one is due, without records of groups that are busy."""
        batch, full = self._next(busy)
        if not batch or not (full or now >= batch[0].at + self._window):
            return None
        taken = set(map(id, batch))
        self._waiting = [one for one in self._waiting if id(one) not in taken]
        return [one.record for one in batch]

    def due_at(self, busy: Collection[str] = ()) -> float | None:
        """Say when the next batch is due at the latest."""
        batch, full = self._next(busy)
        if not batch:
            return None
        return -math.inf if full else batch[0].at + self._window

    def _next(self, busy: Collection[str]) -> tuple[list[Gathered[R]], bool]:
        """Return what the next batch has now, and whether no more can come into it."""
        batch: list[Gathered[R]] = []
        size = 0
        for one in self._waiting:
            if one.group is not None and one.group in busy:
                continue
            size += one.size
            if batch and size > self._largest:
                return batch, True
            batch.append(one)
            if len(batch) == self._most:
                return batch, True
        return batch, False
