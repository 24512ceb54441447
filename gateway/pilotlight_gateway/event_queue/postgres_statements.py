"""What reads the PostgreSQL queue, leases from it and makes its tables; then `postgres_writes`.

A lease takes rows that nobody else is taking at the moment and touches no tally, so that it waits
for no writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from . import migrations
from .interface import Counts, DeadLetter, FunctionKey
from .rows import columns_of, dead_letter_of, lease_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import asyncpg

    from .interface import EventLease
    from .source_leases import Statements

__all__ = [
    "CLOCK",
    "counts",
    "dead_letter",
    "dead_letters",
    "extend",
    "lease",
    "migrate",
    "next_due",
    "run",
]

T = TypeVar("T")

LOCK = 0x706C6576656E74
"""The advisory lock under which the tables are made."""
CLOCK = "SELECT extract(epoch FROM clock_timestamp())::double precision"
_FUNCTIONS_DUE = """
SELECT namespace, function FROM event_lanes AS tally WHERE EXISTS (
    SELECT 1 FROM events WHERE events.namespace = tally.namespace
    AND events.function = tally.function AND state <> 'dead' AND ready_at <= $1
) ORDER BY namespace, function
"""
_DUE = """
SELECT due.* FROM unnest($1::text[], $2::text[], $3::bigint[])
WITH ORDINALITY AS share (namespace, function, count, turn), LATERAL (
    SELECT * FROM events WHERE namespace = share.namespace AND function = share.function
    AND state <> 'dead' AND ready_at <= $4
    ORDER BY ready_at, number LIMIT share.count FOR UPDATE SKIP LOCKED
) AS due ORDER BY share.turn, due.ready_at, due.number
"""
_LEASE = """
UPDATE events SET state = 'in flight', epoch = leased.epoch, ready_at = leased.until
FROM unnest($1::text[], $2::bigint[], $3::float8[]) AS leased (id, epoch, until)
WHERE events.id = leased.id
"""
_OF_FUNCTION = "($1::text IS NULL OR (namespace = $1 AND function = $2))"
_COUNTS = f"""
SELECT coalesce(sum(enqueued), 0) AS enqueued, coalesce(sum(done), 0) AS done,
    coalesce(sum(purged), 0) AS purged,
    (SELECT count(*) FROM events WHERE {_OF_FUNCTION} AND state <> 'dead' AND state = 'waiting')
        AS waiting,
    (SELECT count(*) FROM events WHERE {_OF_FUNCTION} AND state <> 'dead' AND state = 'in flight')
        AS in_flight,
    (SELECT count(*) FROM events WHERE {_OF_FUNCTION} AND state = 'dead') AS dead
FROM event_lanes WHERE {_OF_FUNCTION}
"""  # noqa: S608  own text


async def migrate(connection: asyncpg.Connection, wanted: int) -> None:
    """Bring the tables to a version."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    await connection.execute(migrations.VERSION_TABLE)
    present = await connection.fetchval("SELECT coalesce(max(version), 0) FROM event_queue_version")
    statements = migrations.steps("postgres", present, wanted)
    for statement in statements:
        await connection.execute(statement)
    if statements:
        await connection.execute("DELETE FROM event_queue_version")
        await connection.execute("INSERT INTO event_queue_version VALUES ($1)", wanted)


async def run(connection: asyncpg.Connection, steps: Statements[T]) -> T:
    """Run the statements of an operation."""
    rows: Any = None
    while True:
        try:
            statement, *values = steps.send(rows)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
        rows = await connection.fetch(statement, *values)


async def lease(
    connection: asyncpg.Connection,
    *,
    choose: Callable[[Sequence[FunctionKey]], Mapping[FunctionKey, int]],
    now: float,
) -> list[EventLease]:
    """Lease what is due and nobody else is leasing, as much of each function as is chosen."""
    functions = [FunctionKey(*row) for row in await connection.fetch(_FUNCTIONS_DUE, now)]
    shares = choose(functions)
    if not shares:
        return []
    rows = await connection.fetch(_DUE, *columns_of(shares), list(shares.values()), now)
    leases = [lease_of(row, now) for row in rows]
    await connection.execute(
        _LEASE,
        [one.event.id for one in leases],
        [one.epoch for one in leases],
        [one.until for one in leases],
    )
    return leases


async def extend(connection: asyncpg.Connection, *, lease: EventLease, until: float) -> bool:
    """Hold an event longer; False where the lease is not in force."""
    held = await connection.fetchval(
        "UPDATE events SET ready_at = $3 "
        "WHERE id = $1 AND epoch = $2 AND state = 'in flight' RETURNING id",
        lease.event.id,
        lease.epoch,
        until,
    )
    return held is not None


async def next_due(connection: asyncpg.Connection) -> float | None:
    """Say when something is due."""
    due: float | None = await connection.fetchval(
        "SELECT min(ready_at) FROM events WHERE state <> 'dead'"
    )
    return due


async def counts(connection: asyncpg.Connection, *, function: FunctionKey | None) -> Counts:
    """Count rows and tallies, both as they were at one moment."""
    of = function or (None, None)
    row = await connection.fetchrow(_COUNTS, *of)
    return Counts(**{name: int(value) for name, value in row.items()})


async def dead_letters(
    connection: asyncpg.Connection, *, function: FunctionKey, after: str, limit: int
) -> list[DeadLetter]:
    """Return a function's dead letters by id."""
    rows = await connection.fetch(
        "SELECT * FROM events WHERE state = 'dead' AND namespace = $1 AND function = $2 "
        "AND id > $3 ORDER BY id LIMIT $4",
        *function,
        after,
        limit,
    )
    return [dead_letter_of(row) for row in rows]


async def dead_letter(
    connection: asyncpg.Connection, namespace: str, event_id: str
) -> DeadLetter | None:
    """Return one dead letter."""
    row = await connection.fetchrow(
        "SELECT * FROM events WHERE state = 'dead' AND namespace = $1 AND id = $2",
        namespace,
        event_id,
    )
    return dead_letter_of(row) if row else None
