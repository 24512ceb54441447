"""Who holds which environment: leases that were granted, and what is kept for whoever asks next.

Pure bookkeeping, no I/O. Limits count its entries (`limits`), `recalls` asks the holders for what
they do not use, `capacity` grants and takes back.
"""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pilotlight.claims import Start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pilotlight.claims import Lease, RevisionKey

__all__ = ["NOBODY", "Entry", "LeaseTable"]

K = TypeVar("K")

NOBODY = ""
"""Holds what a gateway that ended left for others; sorts, and so is asked, before any gateway."""


class Entry(NamedTuple):
    """A lease and the gateway that holds it."""

    holder: str
    lease: Lease


class LeaseTable:
    """All leases, by their id, revision and pod: thousands are held while claims come."""

    def __init__(self, generation: int = 0) -> None:
        """`generation` counts the leaders: a later one's epochs are above all earlier ones'."""
        self._epochs = itertools.count((generation << 32) + 1)
        self._entries: dict[str, Entry] = {}
        self._of_revision: dict[RevisionKey, dict[str, Entry]] = {}
        self._of_pod: dict[str, dict[str, Entry]] = {}
        self._on_demand: dict[str, Counter[str]] = {}
        """How many were started on demand, by namespace and function."""

    def __contains__(self, lease_id: str) -> bool:
        return lease_id in self._entries

    def next_epoch(self) -> int:
        """Return one above all that were granted."""
        return next(self._epochs)

    def grant(self, holder: str, lease: Lease) -> Lease:
        """Give an environment to a gateway: under a new id and a higher epoch."""
        granted = replace(lease, id=str(uuid.uuid4()), epoch=self.next_epoch())
        self.add(holder, granted)
        return granted

    def add(self, holder: str, lease: Lease) -> None:
        """Take in a lease as it is: one that an earlier leader granted, or that nobody holds."""
        self.remove(lease.id)
        entry = self._entries[lease.id] = Entry(holder, lease)
        self._of_revision.setdefault(lease.revision, {})[lease.id] = entry
        self._of_pod.setdefault(lease.pod, {})[lease.id] = entry
        self._count(lease, 1)

    def remove(self, lease_id: str) -> Lease | None:
        """Take a lease out; None where it was taken out before."""
        entry = self._entries.pop(lease_id, None)
        if entry is None:
            return None
        lease = entry.lease
        _drop(self._of_revision, lease.revision, lease_id)
        _drop(self._of_pod, lease.pod, lease_id)
        self._count(lease, -1)
        return lease

    def reclaim(self, lease_id: str) -> Lease:
        """Take a lease out that is there, to grant its environment anew."""
        lease = self._entries[lease_id].lease
        self.remove(lease_id)
        return replace(lease, start=Start("recalled"))

    def parked(self, revision: RevisionKey) -> Lease | None:
        """Take out what an ended gateway left of a revision, to grant it anew."""
        for entry in self.of_revision(revision):
            if entry.holder == NOBODY:
                return self.reclaim(entry.lease.id)
        return None

    def is_parked(self, lease_id: str) -> bool:
        """Whether a lease is there and no gateway holds it."""
        entry = self._entries.get(lease_id)
        return entry is not None and entry.holder == NOBODY

    def make_way(self, lease: Lease) -> bool:
        """Say whether a lease that a gateway tells of is good: nobody else has its environment.

        What is parked of it is taken out; its epoch is above the lease's where that was fenced.
        """
        for entry in list(self._of_pod.get(lease.pod, {}).values()):
            if entry.lease.environment == lease.environment:
                if entry.holder != NOBODY or entry.lease.epoch > lease.epoch:
                    return False
                self.remove(entry.lease.id)
        return True

    def entries(self, wanted: Callable[[Lease], bool] = lambda _: True) -> list[Entry]:
        """Return the entries whose leases are wanted; it looks at all."""
        return [entry for entry in self._entries.values() if wanted(entry.lease)]

    def revisions(self) -> Iterable[RevisionKey]:
        """Return the revisions of which something is held."""
        return self._of_revision

    def of_revision(self, revision: RevisionKey) -> list[Entry]:
        """Return a revision's entries."""
        return list(self._of_revision.get(revision, {}).values())

    def on_demand(self, namespace: str) -> Counter[str]:
        """Return how many leases of each function in a namespace were started on demand."""
        return self._on_demand.get(namespace, Counter())

    def accounts(self) -> Counter[str]:
        """Count what was started on demand, by account's namespace."""
        return Counter({one: counts.total() for one, counts in self._on_demand.items() if counts})

    def of(self, holder: str) -> list[Lease]:
        """Return a gateway's leases."""
        return [entry.lease for entry in self._entries.values() if entry.holder == holder]

    def pods(self) -> set[str]:
        """Return the names of the pods that somebody holds an environment in."""
        return set(self._of_pod)

    def holds_pod(self, pod: str) -> bool:
        """Whether somebody holds an environment in a pod."""
        return pod in self._of_pod

    def drop_pod(self, pod: str) -> None:
        """Take out the leases of a pod that is gone."""
        for lease_id in list(self._of_pod.get(pod, {})):
            self.remove(lease_id)

    def _count(self, lease: Lease, change: int) -> None:
        if lease.provisioned:
            return
        counts = self._on_demand.setdefault(lease.revision.namespace, Counter())
        counts[lease.revision.function] += change
        if not counts[lease.revision.function]:
            del counts[lease.revision.function]


def _drop(index: dict[K, dict[str, Entry]], key: K, lease_id: str) -> None:
    del index[key][lease_id]
    if not index[key]:
        del index[key]
