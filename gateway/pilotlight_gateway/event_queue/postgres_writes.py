"""What changes the PostgreSQL queue's tallies: groups of writes, and what is done to dead letters.

A group first locks the tallies of all functions that it touches, in one order, so that two gateways
wait for each other but never in a circle. One statement a kind does the work of the whole group.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .interface import (
    KEY_SECONDS,
    Again,
    Dead,
    Done,
    FunctionKey,
    QueueFullError,
    StaleLeaseError,
)
from .rows import COLUMNS, columns_of, values_of
from .writes import Enqueue, Room, Settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from .interface import Event, Limits
    from .writes import WriteResult

__all__ = ["CHANNEL", "apply", "purge", "redrive"]

CHANNEL = "pilotlight_events"
"""Of NOTIFY: something may have become due."""

_TYPES = {
    "payload": "bytea", "delivery": "bytea", "tries": "int", "refusals": "int",
    "enqueued_at": "float8", "due_at": "float8", "expires_at": "float8", "hold_seconds": "float8",
}  # fmt: skip
_ARRAYS = ", ".join(
    f"${number}::{_TYPES.get(column, 'text')}[]" for number, column in enumerate(COLUMNS, 1)
)
_INSERT = f"""
INSERT INTO events ({", ".join(COLUMNS)}, ready_at)
SELECT {", ".join(COLUMNS)}, due_at FROM unnest({_ARRAYS}) AS new ({", ".join(COLUMNS)})
ON CONFLICT (id) DO NOTHING RETURNING id
"""  # noqa: S608  own names
_MAKE_TALLIES = """
INSERT INTO event_lanes (namespace, function)
SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
"""
_LOCK_TALLIES = """
SELECT namespace, function, enqueued - done - purged AS kept FROM event_lanes
WHERE (namespace, function) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY namespace, function FOR UPDATE
"""
_KEPT_BYTES = (
    "SELECT namespace, function, bytes FROM event_bytes WHERE namespace = ANY ($1::text[])"
)
_COUNT = """
UPDATE event_lanes AS tally SET {tally} = tally.{tally} + added.count
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS added (namespace, function, count)
WHERE tally.namespace = added.namespace AND tally.function = added.function
"""
_KEEP_KEYS = """
INSERT INTO event_keys (namespace, function, dedup_key, until)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[])
ON CONFLICT DO NOTHING RETURNING namespace, function, dedup_key
"""
_HELD = "events.id = held.id AND events.epoch = held.epoch AND state = 'in flight'"
_DONE = f"""
DELETE FROM events USING unnest($1::text[], $2::bigint[]) AS held (id, epoch)
WHERE {_HELD} RETURNING events.id, events.epoch
"""  # noqa: S608  own text
_AGAIN = f"""
UPDATE events SET state = 'waiting', ready_at = held.due_at, due_at = held.due_at,
    tries = held.tries, refusals = held.refusals, delivery = held.delivery
FROM unnest($1::text[], $2::bigint[], $3::float8[], $4::int[], $5::int[], $6::bytea[])
    AS held (id, epoch, due_at, tries, refusals, delivery)
WHERE {_HELD} RETURNING events.id, events.epoch
"""  # noqa: S608  own text
_DEAD = f"""
UPDATE events SET state = 'dead', reason = held.reason, message = held.message,
    died_at = held.died_at, tries = held.tries
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::float8[], $6::int[])
    AS held (id, epoch, reason, message, died_at, tries)
WHERE {_HELD} RETURNING events.id, events.epoch
"""  # noqa: S608  own text
_WANTED = (
    "state = 'dead' AND namespace = $1 AND function = $2 AND ($3::text[] IS NULL OR id = ANY ($3))"
)


async def apply(
    connection: asyncpg.Connection, writes: Sequence[Enqueue | Settle], limits: Limits
) -> list[WriteResult | Exception]:
    """Do a group of writes: first those that keep, then those that settle."""
    room = await _room(connection, writes, limits)
    outcomes: dict[int, WriteResult | Exception] = {}
    fitting = []
    for number, write in enumerate(writes):
        if isinstance(write, Enqueue):
            try:
                room.take(write.events)
            except QueueFullError as refusal:
                outcomes[number] = refusal
            else:
                fitting.append((number, write.events))
    outcomes |= await _enqueue(connection, fitting)
    settles = [(number, one) for number, one in enumerate(writes) if isinstance(one, Settle)]
    outcomes |= await _settle(connection, settles)
    if fitting or any(isinstance(one.settlement, Again) for _, one in settles):
        await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
    return [outcomes[number] for number in range(len(writes))]


async def redrive(
    connection: asyncpg.Connection,
    *,
    function: FunctionKey,
    now: float,
    expires_at: float,
    ids: Sequence[str] | None,
) -> int:
    """Let dead letters wait again."""
    done = await connection.execute(
        "UPDATE events SET state = 'waiting', ready_at = $4, due_at = $4, expires_at = $5, "  # noqa: S608  own text
        f"tries = 0, refusals = 0 WHERE {_WANTED}",
        *function,
        ids,
        now,
        expires_at,
    )
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
    return _affected(done)


async def purge(
    connection: asyncpg.Connection, *, function: FunctionKey, ids: Sequence[str] | None
) -> int:
    """Throw dead letters away."""
    await connection.fetch(_LOCK_TALLIES, [function.namespace], [function.function])
    statement = f"DELETE FROM events WHERE {_WANTED}"  # noqa: S608  own text
    count = _affected(await connection.execute(statement, *function, ids))
    await _count(connection, "purged", {function: count})
    return count


async def _lock_tallies(
    connection: asyncpg.Connection, writes: Sequence[Enqueue | Settle]
) -> dict[FunctionKey, int]:
    """Lock the tallies that a group changes; returns how much each function keeps."""
    functions = {function for write in writes for function in _functions(write)}
    columns = columns_of(sorted(functions))
    await connection.execute(_MAKE_TALLIES, *columns)
    rows = await connection.fetch(_LOCK_TALLIES, *columns)
    return {FunctionKey(row["namespace"], row["function"]): row["kept"] for row in rows}


def _functions(write: Enqueue | Settle) -> set[FunctionKey]:
    if isinstance(write, Settle):
        return {write.lease.event.function_key}
    return {event.function_key for event in write.events}


async def _room(
    connection: asyncpg.Connection, writes: Sequence[Enqueue | Settle], limits: Limits
) -> Room:
    """Lock what a group changes, and read what its functions keep."""
    kept = await _lock_tallies(connection, writes)
    rows = await connection.fetch(_KEPT_BYTES, sorted({key.namespace for key in kept}))
    accounts: Counter[str] = Counter()
    for row in rows:
        accounts[row["namespace"]] += row["bytes"]
    sizes = {FunctionKey(row["namespace"], row["function"]): row["bytes"] for row in rows}
    return Room(limits, kept, sizes, accounts)


async def _enqueue(
    connection: asyncpg.Connection, writes: Sequence[tuple[int, Sequence[Event]]]
) -> dict[int, WriteResult | Exception]:
    """Keep the events of several writes; returns each write's outcome by its number."""
    if not writes:
        return {}
    events = [event for _, group in writes for event in group]
    kept = await _keep(connection, events)
    await _count(connection, "enqueued", Counter(event.function_key for event in kept.values()))
    # Of two events with one id in one group the first is the new one.
    return {
        number: [kept.pop(event.id, None) is not None for event in group]
        for number, group in writes
    }


async def _keep(connection: asyncpg.Connection, events: Sequence[Event]) -> dict[str, Event]:
    """Keep what is not kept yet; returns the events that are new by id."""
    rows = await connection.fetch(
        "SELECT id FROM events WHERE id = ANY ($1)", [event.id for event in events]
    )
    known = {row["id"] for row in rows}
    fresh = {event.id: event for event in reversed(events) if event.id not in known}
    wanted = await _without_known_keys(connection, list(fresh.values())[::-1])
    columns = zip(*map(values_of, wanted), strict=True)
    rows = await connection.fetch(_INSERT, *map(list, columns)) if wanted else []
    return {row["id"]: fresh[row["id"]] for row in rows}


async def _without_known_keys(
    connection: asyncpg.Connection, events: Sequence[Event]
) -> list[Event]:
    """Remember dedup keys; leaves out events whose key was remembered."""
    keyed = {
        (*event.function_key, event.dedup_key): event
        for event in reversed(events)
        if event.dedup_key
    }
    if not keyed:
        return list(events)
    oldest = min(event.enqueued_at for event in keyed.values())
    await connection.execute("DELETE FROM event_keys WHERE until <= $1", oldest)
    until = [event.enqueued_at + KEY_SECONDS for event in keyed.values()]
    rows = await connection.fetch(_KEEP_KEYS, *columns_of(keyed, 3), until)
    new = {keyed[tuple(row)].id for row in rows}
    return [event for event in events if not event.dedup_key or event.id in new]


async def _settle(
    connection: asyncpg.Connection, writes: Sequence[tuple[int, Settle]]
) -> dict[int, WriteResult | Exception]:
    """Settle leases; returns each write's outcome by its number."""
    outcomes: dict[int, WriteResult | Exception] = {
        number: StaleLeaseError(write.lease) for number, write in writes
    }
    # A lease that is settled twice in one group counts once.
    first = {(one.lease.event.id, one.lease.epoch): (number, one) for number, one in writes[::-1]}
    for kind, statement in ((Done, _DONE), (Again, _AGAIN), (Dead, _DEAD)):
        asked = [one for _, one in first.values() if isinstance(one.settlement, kind)]
        rows = await _settle_alike(connection, statement, asked)
        settled = [first[row["id"], row["epoch"]] for row in rows]
        outcomes |= dict.fromkeys(number for number, _ in settled)
        if kind is Done:
            functions = Counter(one.lease.event.function_key for _, one in settled)
            await _count(connection, "done", functions)
    return outcomes


async def _settle_alike(
    connection: asyncpg.Connection, statement: str, writes: Sequence[Settle]
) -> Sequence[asyncpg.Record]:
    """Write settlements of one kind; returns id and epoch of the leases that were in force."""
    if not writes:
        return []
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        statement, *columns_of([_settlement_row(one) for one in writes])
    )
    return rows


def _settlement_row(write: Settle) -> tuple[object, ...]:
    held = (write.lease.event.id, write.lease.epoch)
    match write.settlement:
        case Done():
            return held
        case Again() as again:
            return (*held, again.due_at, again.tries, again.refusals, again.delivery)
        case Dead() as dead:
            return (*held, dead.reason, dead.message, dead.at, dead.tries)


async def _count(
    connection: asyncpg.Connection, tally: str, counts: Mapping[FunctionKey, int]
) -> None:
    if counts:
        statement = _COUNT.format(tally=tally)
        await connection.execute(statement, *columns_of(counts), list(counts.values()))


def _affected(tag: str) -> int:
    """Read the number of rows off a command's tag, such as `DELETE 3`."""
    return int(tag.rpartition(" ")[2])
