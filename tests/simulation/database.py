"""The database of the event queue, which may go away: in the middle of a write, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.errors import UnavailableError
from tests.support.memory_event_queue import MemoryEventQueue

from .virtual import Process

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pilotlight_gateway.event_queue.interface import (
        Event,
        EventLease,
        FunctionKey,
        Settlement,
    )

__all__ = ["Database"]


class Database(MemoryEventQueue):
    """An event queue that answers nobody while it is `away`.

    Of what is written just then, half takes effect and nobody is told.
    """

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.away = False
        self._chance = chance

    async def enqueue(self, *events: Event) -> list[bool]:
        """Keep events, or say that there is nobody."""
        self._answer()
        return await super().enqueue(*events)

    async def lease(
        self, limit: int, now: float, *, room: Callable[[FunctionKey], int]
    ) -> list[EventLease]:
        """Lease what is due."""
        await Process.check()
        if not self.away or self._takes_effect():
            leases = await super().lease(limit, now, room=room)
        self._answer()
        return leases

    async def settle(self, lease: EventLease, settlement: Settlement) -> None:
        """Say how an event goes on."""
        await Process.check()
        if not self.away or self._takes_effect():
            await super().settle(lease, settlement)
        self._answer()

    async def extend(self, lease: EventLease, until: float) -> EventLease:
        """Hold an event longer."""
        await Process.check()
        self._answer()
        return await super().extend(lease, until)

    async def next_due(self) -> float | None:
        """Say when the next event is due."""
        self._answer()
        return await super().next_due()

    def _takes_effect(self) -> bool:
        return self._chance.random() < 0.5

    def _answer(self) -> None:
        if self.away:
            raise UnavailableError("the database is away")
