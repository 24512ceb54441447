"""What other gateways have of a revision, for claims that get no pod: there is no room, or no turn.

An environment that idles elsewhere, even between two calls, serves a claim that would wait for
seconds or be refused; where there is room, each gateway has its own. `capacity` asks here.
"""

from __future__ import annotations

import asyncio
import functools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.claims import Lease, RevisionKey

    from .recalls import Recalls
    from .table import LeaseTable

__all__ = ["ELSEWHERE_SECONDS", "SOON_SECONDS", "Elsewhere"]

SOON_SECONDS, ELSEWHERE_SECONDS = 0.05, 0.5
"""When a claim that waits looks first, and how often then."""
LAST_LOOKS = 10
"""Of a claim that is refused a pod, `SOON_SECONDS` apart."""
CROWDED_SECONDS = 2.0
"""For how long it is believed that there is no room: who waits for it says so twice a second."""
ANYWHERE = ""


class Elsewhere:
    """The other gateways, as one that claims sees them."""

    def __init__(self, table: LeaseTable, recalls: Recalls) -> None:
        self._table, self._recalls = table, recalls
        self._crowded: dict[str, float] = {}
        """When no room was found last: in a namespace's quota, or on any node."""

    def note_crowd(self, namespace: str) -> None:
        """Note that no room was found now; for no namespace's sake where none is named."""
        self._crowded[namespace] = asyncio.get_running_loop().time()

    async def take(
        self, revision: RevisionKey, gateway: str, *, provisioned: bool = False
    ) -> Lease | None:
        """Take an idle environment of a revision from another gateway than this."""
        same = [
            entry
            for entry in self._table.of_revision(revision)
            if entry.holder != gateway and (entry.lease.provisioned or not provisioned)
        ]
        return await self._recalls.recall(same)

    async def take_for_waiting(
        self, revision: RevisionKey, gateway: str, *, full: bool
    ) -> Lease | None:
        """Take what an ended gateway left; in a crowd, or with no turn free, what idles too."""
        if (parked := self._table.parked(revision)) is not None:
            return parked
        if not (full or self.is_crowded(revision.namespace)):
            return None
        ask = functools.partial(self.take, revision, gateway)
        return await self._recalls.in_turn((revision, gateway), ask)

    async def take_last(self, revision: RevisionKey, gateway: str) -> Lease | None:
        """Take one for a claim that was refused a pod, if one comes to idle in a moment."""
        for _ in range(LAST_LOOKS):
            if all(one.holder == gateway for one in self._table.of_revision(revision)):
                return None
            if (lease := await self.take(revision, gateway)) is not None:
                return lease
            await asyncio.sleep(SOON_SECONDS)
        return None

    def is_crowded(self, namespace: str) -> bool:
        """Whether no room was found of late, for the namespace or for any."""
        last = max(self._crowded.get(where, -math.inf) for where in (ANYWHERE, namespace))
        return asyncio.get_running_loop().time() - last <= CROWDED_SECONDS
