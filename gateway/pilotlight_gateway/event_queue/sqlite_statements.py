"""What reads the SQLite queue, leases from it and makes its tables; then `sqlite_writes`.

Rows come out as one JSON document, for the same reason that they go in as one there: each step of a
statement waits for an event loop that is busy.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from . import migrations
from .interface import Counts, DeadLetter, FunctionKey
from .rows import COLUMNS, dead_letter_of, lease_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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
    "prepare",
    "run",
]

T = TypeVar("T")

CLOCK = "SELECT (julianday('now') - 2440587.5) * 86400.0"
LARGEST_IN_DOCUMENT = 65_536
"""Bytes of an event that is read with others; a larger one is read by itself."""

_FUNCTIONS_DUE = """
SELECT json_group_array(json_array(namespace, function)) FROM (
    SELECT namespace, function FROM event_lanes WHERE EXISTS (
        SELECT 1 FROM events WHERE events.namespace = event_lanes.namespace
        AND events.function = event_lanes.function AND state <> 'dead' AND ready_at <= ?
    ) ORDER BY namespace, function
)
"""
_PLAIN = (
    *(column for column in COLUMNS if column not in {"payload", "delivery"}),
    "state",
    "epoch",
)
_DUE = f"""
SELECT json_group_array(json_array({", ".join(_PLAIN)},
    CASE WHEN length(payload) + length(delivery) <= {LARGEST_IN_DOCUMENT} THEN hex(payload) END,
    hex(CASE WHEN length(payload) + length(delivery) <= {LARGEST_IN_DOCUMENT} THEN delivery END)
)) FROM (
    SELECT * FROM events
    WHERE namespace = :namespace AND function = :function
    AND state <> 'dead' AND ready_at <= :now ORDER BY ready_at, number LIMIT :share
)
"""  # noqa: S608  own names
_LEASE = """
UPDATE events SET state = 'in flight', epoch = row.value ->> 1, ready_at = row.value ->> 2
FROM json_each(?) AS row WHERE events.id = row.value ->> 0
"""
_OF_FUNCTION = "namespace = :namespace AND function = :function"
_TALLIES = """
SELECT coalesce(sum(enqueued), 0), coalesce(sum(done), 0), coalesce(sum(purged), 0)
FROM event_lanes WHERE true {mine}
"""
_ALIVE = "SELECT state, count(*) FROM events WHERE state <> 'dead' {mine} GROUP BY state"
_COUNT_DEAD = "SELECT count(*) FROM events WHERE state = 'dead' {mine}"


def prepare(connection: sqlite3.Connection) -> None:
    """Bring the tables to the newest version and end the leases of the process before this one."""
    migrate(connection, migrations.NEWEST)
    connection.execute("UPDATE events SET ready_at = 0 WHERE state = 'in flight'")


def migrate(connection: sqlite3.Connection, wanted: int) -> None:
    """Bring the tables to a version."""
    connection.execute(migrations.VERSION_TABLE)
    row = connection.execute("SELECT max(version) FROM event_queue_version").fetchone()
    present = row[0] or 0
    statements = migrations.steps("sqlite", present, wanted)
    for statement in statements:
        connection.execute(statement)
    if statements:
        connection.execute("DELETE FROM event_queue_version")
        connection.execute("INSERT INTO event_queue_version VALUES (?)", (wanted,))


def run(connection: sqlite3.Connection, *, steps: Statements[T]) -> T:
    """Run the statements of an operation; their $1 is SQLite's ?1."""
    rows: Any = None
    while True:
        try:
            statement, *values = steps.send(rows)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
        rows = connection.execute(statement.replace("$", "?"), values).fetchall()


def lease(
    connection: sqlite3.Connection,
    *,
    choose: Callable[[Sequence[FunctionKey]], Mapping[FunctionKey, int]],
    now: float,
) -> list[EventLease]:
    """Lease what is due, as much of each function as is chosen."""
    [functions] = connection.execute(_FUNCTIONS_DUE, (now,)).fetchone()
    shares = choose([FunctionKey(*function) for function in json.loads(functions)])
    rows = [
        row for function, share in shares.items() for row in _due(connection, function, now, share)
    ]
    leases = [lease_of(row, now) for row in rows]
    held = [[one.event.id, one.epoch, one.until] for one in leases]
    if held:
        connection.execute(_LEASE, (json.dumps(held),))
    return leases


def extend(connection: sqlite3.Connection, *, lease: EventLease, until: float) -> bool:
    """Hold an event longer; False where the lease is not in force."""
    cursor = connection.execute(
        "UPDATE events SET ready_at = ? WHERE id = ? AND epoch = ? AND state = 'in flight'",
        (until, lease.event.id, lease.epoch),
    )
    return cursor.rowcount == 1


def next_due(connection: sqlite3.Connection) -> float | None:
    """Say when something is due."""
    row = connection.execute("SELECT min(ready_at) FROM events WHERE state <> 'dead'").fetchone()
    due: float | None = row[0]
    return due


def counts(connection: sqlite3.Connection, *, function: FunctionKey | None) -> Counts:
    """Count rows and tallies; rows by indices alone, so that a long queue is not read."""
    mine = "" if function is None else f"AND {_OF_FUNCTION}"
    of = _parameters(function)
    enqueued, done, purged = connection.execute(_TALLIES.format(mine=mine), of).fetchone()
    alive = dict(connection.execute(_ALIVE.format(mine=mine), of).fetchall())
    [dead] = connection.execute(_COUNT_DEAD.format(mine=mine), of).fetchone()
    return Counts(
        enqueued=enqueued,
        waiting=alive.get("waiting", 0),
        in_flight=alive.get("in flight", 0),
        done=done,
        dead=dead,
        purged=purged,
    )


def dead_letters(
    connection: sqlite3.Connection, *, function: FunctionKey, after: str, limit: int
) -> list[DeadLetter]:
    """Return a function's dead letters by id."""
    cursor = connection.execute(
        f"SELECT * FROM events WHERE state = 'dead' AND {_OF_FUNCTION} "  # noqa: S608  own text
        "AND id > :after ORDER BY id LIMIT :limit",
        _parameters(function) | {"after": after, "limit": limit},
    )
    cursor.row_factory = sqlite3.Row
    return [dead_letter_of(row) for row in cursor]


def dead_letter(
    connection: sqlite3.Connection, *, namespace: str, event_id: str
) -> DeadLetter | None:
    """Return one dead letter."""
    cursor = connection.execute(
        "SELECT * FROM events WHERE state = 'dead' AND namespace = ? AND id = ?",
        (namespace, event_id),
    )
    cursor.row_factory = sqlite3.Row
    row = cursor.fetchone()
    return dead_letter_of(row) if row else None


def _due(
    connection: sqlite3.Connection, function: FunctionKey, now: float, share: int
) -> Iterator[dict[str, Any]]:
    """Read what is due of a function: one document, and large events one by one."""
    parameters = function._asdict() | {"now": now, "share": share}
    [document] = connection.execute(_DUE, parameters).fetchone()
    for *plain, payload, delivery in json.loads(document):
        row = dict(zip(_PLAIN, plain, strict=True))
        if payload is None:
            row["payload"], row["delivery"] = connection.execute(
                "SELECT payload, delivery FROM events WHERE id = ?", (row["id"],)
            ).fetchone()
        else:
            row["payload"], row["delivery"] = bytes.fromhex(payload), bytes.fromhex(delivery)
        yield row


def _parameters(function: FunctionKey | None) -> dict[str, Any]:
    return function._asdict() if function else {}
