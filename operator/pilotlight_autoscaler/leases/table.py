"""Who holds which environment: leases that were granted, and what is kept for whoever asks next.

Pure bookkeeping, no I/O. Limits count its entries (`limits`), `recalls` asks the holders for what
they do not use, `capacity` grants and takes back.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pilotlight.claims import Start

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.claims import Lease, RevisionKey

__all__ = ["NOBODY", "Entry", "LeaseTable"]

NOBODY = ""
"""Holds what a gateway that ended left for others; sorts, and so is asked, before any gateway."""


class Entry(NamedTuple):
    """A lease and the gateway that holds it."""

    holder: str
    lease: Lease


class LeaseTable:
    """All leases, by their id."""

    def __init__(self, generation: int = 0) -> None:
        """`generation` counts the leaders: a later one's epochs are above all earlier ones'."""
        self._epochs = itertools.count((generation << 32) + 1)
        self._entries: dict[str, Entry] = {}

    def __contains__(self, lease_id: str) -> bool:
        return lease_id in self._entries

    def grant(self, holder: str, lease: Lease) -> Lease:
        """Give an environment to a gateway: under a new id and a higher epoch."""
        granted = replace(lease, id=str(uuid.uuid4()), epoch=next(self._epochs))
        self.add(holder, granted)
        return granted

    def add(self, holder: str, lease: Lease) -> None:
        """Take in a lease as it is: one that an earlier leader granted, or that nobody holds."""
        self._entries[lease.id] = Entry(holder, lease)

    def remove(self, lease_id: str) -> Lease | None:
        """Take a lease out; None where it was taken out before."""
        entry = self._entries.pop(lease_id, None)
        return None if entry is None else entry.lease

    def reclaim(self, lease_id: str) -> Lease:
        """Take a lease out to grant its environment anew."""
        return replace(self._entries.pop(lease_id).lease, start=Start("recalled"))

    def parked(self, revision: RevisionKey) -> Lease | None:
        """Take out what an ended gateway left of a revision, to grant it anew."""
        for entry in self.entries(lambda lease: lease.revision == revision):
            if entry.holder == NOBODY:
                return self.reclaim(entry.lease.id)
        return None

    def is_parked(self, lease_id: str) -> bool:
        """Whether a lease is there and no gateway holds it."""
        entry = self._entries.get(lease_id)
        return entry is not None and entry.holder == NOBODY

    def entries(self, wanted: Callable[[Lease], bool] = lambda _: True) -> list[Entry]:
        """Return the entries whose leases are wanted."""
        return [entry for entry in self._entries.values() if wanted(entry.lease)]

    def of(self, holder: str) -> list[Lease]:
        """Return a gateway's leases."""
        return [entry.lease for entry in self._entries.values() if entry.holder == holder]

    def pods(self) -> set[str]:
        """Return the names of the pods that somebody holds an environment in."""
        return {entry.lease.pod for entry in self._entries.values()}

    def drop_pod(self, pod: str) -> None:
        """Take out the leases of a pod that is gone."""
        for entry in self.entries(lambda lease: lease.pod == pod):
            del self._entries[entry.lease.id]
