"""How much of each cap is taken: leases, what starts or ends without one, what is provisioned.

Every environment counts, busy or idle, so what runs never exceeds a cap. `caps` says how much there
is, `capacity` asks here before each start.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pilotlight.resources import Key

from .burst import Burst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pilotlight.claims import RevisionKey

    from .caps import Cap, CapKey, Caps
    from .stock import Stock
    from .table import Entry, LeaseTable

__all__ = ["Limits"]


class Limits:
    """The caps, and what counts against them."""

    def __init__(
        self,
        caps: Caps,
        table: LeaseTable,
        stock: Stock,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caps = caps
        self._table = table
        self._stock = stock
        self._clock = clock
        self._unheld: Counter[CapKey] = Counter()
        self._suspects: dict[str, RevisionKey] = {}
        self._bursts: dict[Key, Burst] = {}

    def cap(self, revision: RevisionKey) -> Cap:
        """Return the cap that a revision's environments count against."""
        return self._caps.of(revision)

    def has_room(self, cap: Cap) -> bool:
        """Whether one more may be started on demand."""
        return self.taken(cap.key) < cap.limit

    def excess(self, key: CapKey) -> tuple[int, list[Entry]]:
        """Return how many too many there are under a cap, and which started on demand."""
        entries = self.on_demand(key)
        if not entries:
            return 0, []
        return self.taken(key) - self._caps.of(entries[0].lease.revision).limit, entries

    def taken(self, key: CapKey) -> int:
        """Count what has its place under a cap: all environments, and the provisioned to come."""
        return self.plain(key) + sum(map(self._stock.reserved, self._provisioned(key)))

    def running(self, key: CapKey) -> int:
        """Count the environments under a cap that are, start or end."""
        return self.plain(key) + sum(map(self._stock.there, self._provisioned(key)))

    def plain(self, key: CapKey) -> int:
        """Count those of them that are not provisioned."""
        counts = self._table.on_demand(key.namespace)
        held = counts[key.function]
        if not key.function:
            # What is left for all, but for functions that have their own.
            held = counts.total() - sum(counts[one] for one in self._caps.reserved(key.namespace))
        return held + self._unheld[key] + self._suspected(key)

    def on_demand(self, key: CapKey) -> list[Entry]:
        """Return the leases under a cap whose environments were started on demand."""
        revisions = [one for one in self._table.revisions() if self._caps.key_of(one) == key]
        return [
            entry
            for revision in revisions
            for entry in self._table.of_revision(revision)
            if not entry.lease.provisioned
        ]

    def key_of(self, revision: RevisionKey) -> CapKey:
        """Return what a revision's environments count under."""
        return self._caps.key_of(revision)

    def reserve(self, revision: RevisionKey) -> None:
        """Count an environment that nobody holds until `free`; raises ThrottledError.

        A function that has grown too fast gets none.
        """
        self._burst(revision).take(self._clock())
        self._unheld[self._caps.key_of(revision)] += 1

    def free(self, key: CapKey) -> None:
        """Count it no longer: somebody holds it now, or it did not start."""
        self._unheld[key] -= 1

    def suspect(self, pod: str, revision: RevisionKey) -> None:
        """Count a pod that a gateway may hold which has not told so yet, until `clear`."""
        self._suspects[pod] = revision

    def clear(self, pod: str) -> None:
        """Count a pod no longer that was counted on suspicion: it is held now, or goes."""
        self._suspects.pop(pod, None)

    @contextmanager
    def counted(self, revision: RevisionKey) -> Iterator[None]:
        """Count an environment that ends for as long as the block lasts."""
        key = self._caps.key_of(revision)
        self._unheld[key] += 1
        try:
            yield
        finally:
            self._unheld[key] -= 1

    def _suspected(self, key: CapKey) -> int:
        """Count the pods that may be held; one may be any function's whose agent says nothing."""
        return sum(
            self._caps.key_of(one) == key or (not one.function and one.namespace == key.namespace)
            for one in self._suspects.values()
        )

    def _provisioned(self, key: CapKey) -> Iterable[RevisionKey]:
        return (one for one in self._stock.revisions() if self._caps.key_of(one) == key)

    def _burst(self, revision: RevisionKey) -> Burst:
        key = Key(revision.namespace, revision.function)
        if key not in self._bursts:
            now = self._clock()
            self._bursts = {key: one for key, one in self._bursts.items() if not one.is_full(now)}
            self._bursts[key] = Burst(now)
        return self._bursts[key]
