"""The queue of a cluster: PostgreSQL, shared by all gateways.

Leases take rows that nobody else is taking (`FOR UPDATE SKIP LOCKED`); arrivals are told by NOTIFY,
which spares a gateway that sleeps the polling. Writes of one gateway are committed in groups, one
statement a kind. `postgres_statements` says what is done inside a transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pilotlight.errors import NotFoundError, UnavailableError

from . import migrations, postgres_writes
from . import postgres_statements as statements
from .fairness import Turns
from .group_commit import GroupCommit
from .interface import Counts, Limits, StaleLeaseError
from .source_leases import SourceLeases
from .writes import Enqueue, Settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import asyncpg

    from pilotlight.storage.postgres.database import PostgresDatabase

    from .interface import DeadLetter, Event, EventLease, FunctionKey, Settlement
    from .source_leases import Statements
    from .writes import WriteResult

__all__ = ["PostgresEventQueue"]

T = TypeVar("T")

LISTEN_AGAIN_SECONDS = 1.0
"""How soon a lost connection for NOTIFY is made anew; until then arrivals are polled for."""


class PostgresEventQueue:
    """An `EventQueue` in a database; it connects when it is first needed."""

    def __init__(self, database: PostgresDatabase, *, limits: Limits | None = None) -> None:
        self._database = database
        self._limits = limits or Limits()
        self._prepared: int | None = None
        """What the database had lost when the tables were made."""
        self._turns = Turns()
        self._arrived = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._writes: GroupCommit[Enqueue | Settle, WriteResult] = GroupCommit(self._commit)
        self.source_leases = SourceLeases(self._run_statements, clock=statements.CLOCK)

    async def enqueue(self, *events: Event) -> list[bool]:
        """Keep events, all or none; returns once they are on disk."""
        return await self._writes.write(Enqueue(events)) or []

    async def lease(
        self, limit: int, now: float, *, most: int, holding: Mapping[FunctionKey, int]
    ) -> list[EventLease]:
        """Lease what is due, functions taking turns."""
        choose = partial(self._turns.shares, limit=limit, most=most, holding=holding)
        async with self._transaction() as connection:
            return await statements.lease(connection, choose=choose, now=now)

    async def settle(self, lease: EventLease, settlement: Settlement) -> None:
        """Say how an event goes on."""
        await self._writes.write(Settle(lease, settlement))

    async def extend(self, lease: EventLease, until: float) -> EventLease:
        """Hold an event longer."""
        async with self._transaction() as connection:
            held = await statements.extend(connection, lease=lease, until=until)
        if not held:
            raise StaleLeaseError(lease)
        return replace(lease, until=until)

    async def next_due(self) -> float | None:
        """Say when the next event is due or the next lease ends."""
        async with self._transaction() as connection:
            return await statements.next_due(connection)

    async def wait(self, seconds: float) -> None:
        """Wait until events may have come, at most that long."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)
        self._arrived.clear()

    async def counts(self, function: FunctionKey | None = None) -> Counts:
        """Count the events of a function, or all, at one moment."""
        async with self._transaction() as connection:
            return await statements.counts(connection, function=function)

    async def dead_letters(
        self, function: FunctionKey, *, after: str = "", limit: int
    ) -> list[DeadLetter]:
        """Return dead letters by id."""
        async with self._transaction() as connection:
            return await statements.dead_letters(
                connection, function=function, after=after, limit=limit
            )

    async def dead_letter(self, namespace: str, event_id: str) -> DeadLetter:
        """Return one dead letter."""
        async with self._transaction() as connection:
            found = await statements.dead_letter(connection, namespace, event_id)
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
        async with self._transaction() as connection:
            return await postgres_writes.redrive(
                connection, function=function, now=now, expires_at=expires_at, ids=ids
            )

    async def purge(self, function: FunctionKey, *, ids: Sequence[str] | None = None) -> int:
        """Throw dead letters away."""
        async with self._transaction() as connection:
            return await postgres_writes.purge(connection, function=function, ids=ids)

    async def close(self) -> None:
        """Finish what has begun; the database is whoever made it's to close."""
        await self._writes.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _commit(
        self, writes: Sequence[Enqueue | Settle]
    ) -> Sequence[WriteResult | Exception]:
        async with self._transaction() as connection:
            return await postgres_writes.apply(connection, writes, self._limits)

    async def _run_statements(self, steps: Statements[T]) -> T:
        async with self._transaction() as connection:
            return await statements.run(connection, steps)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection inside a transaction, on tables that are there."""
        if self._prepared != self._database.losses:
            losses = self._database.losses
            async with self._database.transaction() as connection:
                await statements.migrate(connection, migrations.NEWEST)
            self._prepared = losses
        async with self._database.transaction() as connection:
            yield connection

    async def _listen(self) -> None:
        """Follow NOTIFY, for ever and through disconnects."""
        while True:
            with contextlib.suppress(UnavailableError):
                async with self._database.connection() as connection:
                    await self._follow(connection)
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)
            self._arrived.set()

    async def _follow(self, connection: asyncpg.Connection) -> None:
        lost = asyncio.Event()

        def arrived(*_: object) -> None:
            self._arrived.set()

        def gone(_: object) -> None:
            lost.set()

        connection.add_termination_listener(gone)
        await connection.add_listener(postgres_writes.CHANNEL, arrived)
        self._arrived.set()  # for what came before anybody listened
        try:
            await lost.wait()
        finally:
            if not connection.is_closed():
                connection.remove_termination_listener(gone)
                await connection.remove_listener(postgres_writes.CHANNEL, arrived)
