"""The queue of one machine: a SQLite file whose commits are on disk before they are answered.

WAL with synchronous FULL syncs the log at every commit (SQLite documentation, "Write-Ahead
Logging"); `GroupCommit` makes many writers share one. The file has one process, so that leases
which stand in it when it is opened are a dead process's and end at once. `sqlite_writes` and
`sqlite_statements` say what is done inside a transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pilotlight.errors import NotFoundError
from pilotlight.storage.sqlite.database import SqliteDatabase

from . import sqlite_statements as statements
from . import sqlite_writes
from .fairness import Turns
from .group_commit import GroupCommit
from .interface import Again, Counts, Limits, StaleLeaseError
from .source_leases import SourceLeases
from .writes import Enqueue, Settle

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .interface import DeadLetter, Event, EventLease, FunctionKey, Settlement
    from .source_leases import Statements
    from .writes import WriteResult

__all__ = ["SqliteEventQueue"]

T = TypeVar("T")


class SqliteEventQueue:
    """An `EventQueue` in a file; raises UnavailableError where it cannot be opened."""

    def __init__(self, path: Path, *, limits: Limits | None = None) -> None:
        self._database = SqliteDatabase(path, "", synchronous="FULL")
        self._limits = limits or Limits()
        self._prepared = False
        self._turns = Turns()
        self._arrived = asyncio.Event()
        self._writes: GroupCommit[Enqueue | Settle, WriteResult] = GroupCommit(self._commit)
        self.source_leases = SourceLeases(self._run_statements, clock=statements.CLOCK)

    async def enqueue(self, *events: Event) -> list[bool]:
        """Keep events, all or none; returns once they are on disk."""
        new = await self._writes.write(Enqueue(events))
        self._arrived.set()
        return new or []

    async def lease(
        self, limit: int, now: float, *, room: Callable[[FunctionKey], int]
    ) -> list[EventLease]:
        """Lease what is due, functions taking turns."""
        choose = partial(self._turns.shares, limit=limit, room=room)
        return await self._run(partial(statements.lease, choose=choose, now=now))

    async def settle(self, lease: EventLease, settlement: Settlement) -> None:
        """Say how an event goes on."""
        await self._writes.write(Settle(lease, settlement))
        if isinstance(settlement, Again):
            self._arrived.set()

    async def extend(self, lease: EventLease, until: float) -> EventLease:
        """Hold an event longer."""
        if not await self._run(partial(statements.extend, lease=lease, until=until)):
            raise StaleLeaseError(lease)
        return replace(lease, until=until)

    async def next_due(self) -> float | None:
        """Say when the next event is due or the next lease ends."""
        return await self._run(statements.next_due)

    async def wait(self, seconds: float) -> None:
        """Wait until events may have come, at most that long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)
        self._arrived.clear()

    async def counts(self, function: FunctionKey | None = None) -> Counts:
        """Count the events of a function, or all."""
        return await self._run(partial(statements.counts, function=function))

    async def dead_letters(
        self, function: FunctionKey, *, after: str = "", limit: int
    ) -> list[DeadLetter]:
        """Return dead letters by id."""
        return await self._run(
            partial(statements.dead_letters, function=function, after=after, limit=limit)
        )

    async def dead_letter(self, namespace: str, event_id: str) -> DeadLetter:
        """Return one dead letter."""
        found = await self._run(
            partial(statements.dead_letter, namespace=namespace, event_id=event_id)
        )
        if found is None:
            raise NotFoundError(f"no dead letter {event_id}")
        return found

    async def redrive(
        self,
        function: FunctionKey,
        now: float,
        *,
        expires_at: float,
        ids: Sequence[str] | None = None,
    ) -> int:
        """Let dead letters wait again."""
        count = await self._run(
            partial(
                sqlite_writes.redrive, function=function, now=now, expires_at=expires_at, ids=ids
            )
        )
        self._arrived.set()
        return count

    async def purge(self, function: FunctionKey, *, ids: Sequence[str] | None = None) -> int:
        """Throw dead letters away."""
        return await self._run(partial(sqlite_writes.purge, function=function, ids=ids))

    async def close(self) -> None:
        """Finish what has begun and close the file."""
        await self._writes.close()
        await asyncio.to_thread(self._database.close)

    async def _commit(
        self, writes: Sequence[Enqueue | Settle]
    ) -> Sequence[WriteResult | Exception]:
        return await self._run(partial(sqlite_writes.apply, writes=writes, limits=self._limits))

    async def _run_statements(self, steps: Statements[T]) -> T:
        return await self._run(partial(statements.run, steps=steps))

    async def _run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run an operation as one transaction, on tables that are there."""
        if not self._prepared:
            await self._database.run(statements.prepare)
            self._prepared = True
        return await self._database.run(operation)
