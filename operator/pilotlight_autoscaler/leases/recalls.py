"""Asks gateways for environments that they do not use, and for those that a lower cap forbids.

What an ended gateway left has no holder to ask and is to be had at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .table import NOBODY

if TYPE_CHECKING:
    from pilotlight.claims import Holders, Lease, ReleaseReason

    from .table import Entry, LeaseTable

__all__ = ["Recalls", "Release"]

Release = Callable[[str, "ReleaseReason"], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Rounds:
    """The questions about one thing."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    begun: int = 0
    fruitless: int = 0
    """The last one that had no result."""


class Recalls:
    """The gateways, as who grants leases asks them."""

    def __init__(self, table: LeaseTable, release: Release) -> None:
        self._table = table
        self._release = release
        self._holders: Holders | None = None
        self._rounds: dict[Hashable, _Rounds] = {}
        self._kept: set[str] = set()
        """Leases that are left for who claims their revision, whoever wants room."""

    def ask(self, holders: Holders) -> None:
        """Ask these from now on."""
        self._holders = holders

    def keep(self, lease: str, seconds: float) -> None:
        """Take a lease for no room for so long: its gateway has just ended, not its calls."""
        self._kept.add(lease)
        asyncio.get_running_loop().call_later(seconds, self._kept.discard, lease)

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""
        return self._holders is not None

    async def recall(self, candidates: list[Entry], *, rested: bool = False) -> Lease | None:
        """Take one idle environment of these back; None where all of them run.

        `rested`: only one that is not just between two calls of a busy function.
        """
        if rested:
            candidates = [one for one in candidates if one.lease.id not in self._kept]
        for holder, ids in _by_holder(candidates):
            found = await self._recall_from(holder, ids, rested=rested)
            if found is not None and found in self._table:
                return self._table.reclaim(found)
        return None

    async def in_turn(
        self, about: Hashable, ask: Callable[[], Awaitable[Lease | None]]
    ) -> Lease | None:
        """Ask; who finds that all run answers for all who wait to ask about the same.

        Claims that come by the thousand under one cap ask one after the other, and those that
        came before a question was asked that had no result do not ask again.
        """
        rounds = self._rounds.setdefault(about, _Rounds())
        came, rounds.waiting = rounds.begun, rounds.waiting + 1
        try:
            async with rounds.turn:
                if rounds.fruitless > came:
                    return None
                rounds.begun += 1
                found = await ask()
                if found is None:
                    rounds.fruitless = rounds.begun
                return found
        finally:
            rounds.waiting -= 1
            if not rounds.waiting:
                del self._rounds[about]

    async def shed(self, candidates: list[Entry], count: int) -> None:
        """Have so many of these given up, running ones once they end."""
        left = count
        for holder, ids in _by_holder(candidates):
            if left <= 0:
                break
            left -= await self._shed_from(holder, ids, left)

    async def take_from(self, holder: str, leases: list[str]) -> None:
        """Have a gateway give up leases that are no good any more."""
        await self._shed_from(holder, leases, len(leases))

    async def _recall_from(self, holder: str, ids: list[str], *, rested: bool) -> str | None:
        if holder == NOBODY:
            return ids[0]
        return await self._holders.recall(holder, ids, rested=rested) if self._holders else None

    async def _shed_from(self, holder: str, ids: list[str], count: int) -> int:
        if holder == NOBODY:
            for lease_id in ids[:count]:
                await self._release(lease_id, "shed")
            return min(count, len(ids))
        return await self._holders.shed(holder, ids, count) if self._holders else 0


def _by_holder(candidates: list[Entry]) -> list[tuple[str, list[str]]]:
    """Group leases by who holds them, in the order in which holders are asked."""
    held: dict[str, list[str]] = {}
    for entry in candidates:
        held.setdefault(entry.holder, []).append(entry.lease.id)
    return sorted(held.items())
