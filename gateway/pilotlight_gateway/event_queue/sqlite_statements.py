"""What `SqliteEventQueue` does inside a transaction; each function is one part of it.

Refusals are found before anything is written and are returned, not raised: what stands beside them
in the same transaction goes on. What is raised rolls the whole group back.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from . import migrations
from .interface import (
    KEY_SECONDS,
    Again,
    Counts,
    Dead,
    DeadLetter,
    Done,
    Lane,
    QueueFullError,
    StaleLeaseError,
)
from .rows import COLUMNS, dead_letter_of, lease_of, values_of
from .writes import Enqueue, Settle, check_room

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .interface import Event, Lease
    from .writes import Outcome

__all__ = [
    "apply",
    "counts",
    "dead_letter",
    "dead_letters",
    "extend",
    "lease",
    "next_due",
    "prepare",
    "purge",
    "redrive",
]

_INSERT = (
    f"INSERT OR IGNORE INTO events ({', '.join(COLUMNS)}, ready_at) "  # noqa: S608  own names
    f"VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
)
_LANES_DUE = """
SELECT namespace, function FROM event_lanes WHERE EXISTS (
    SELECT 1 FROM events WHERE events.namespace = event_lanes.namespace
    AND events.function = event_lanes.function AND state <> 'dead' AND ready_at <= ?
) ORDER BY namespace, function
"""
_DUE = """
SELECT * FROM events
WHERE namespace = ? AND function = ? AND state <> 'dead' AND ready_at <= ?
ORDER BY ready_at, number LIMIT ?
"""
_IN_FORCE = "id = ? AND epoch = ? AND state = 'in flight'"
_OF_LANE = "namespace = :namespace AND function = :function"
_DEAD = (
    f"state = 'dead' AND {_OF_LANE} "  # noqa: S608  own text
    "AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))"
)
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


def apply(
    connection: sqlite3.Connection, *, writes: Sequence[Enqueue | Settle], largest_lane: int
) -> list[Outcome | Exception]:
    """Do a group of writes, in their order."""
    outcomes: list[Outcome | Exception] = []
    for write in writes:
        if isinstance(write, Settle):
            outcomes.append(_settle(connection, write))
        else:
            outcomes.append(_enqueue(connection, write.events, largest_lane))
    return outcomes


def lease(
    connection: sqlite3.Connection,
    *,
    choose: Callable[[Sequence[Lane]], Mapping[Lane, int]],
    now: float,
) -> list[Lease]:
    """Lease what is due, as much of each function as is chosen."""
    lanes = [Lane(*row) for row in connection.execute(_LANES_DUE, (now,))]
    leases = []
    for lane, share in choose(lanes).items():
        cursor = connection.execute(_DUE, (*lane, now, share))
        cursor.row_factory = sqlite3.Row
        leases += [lease_of(row, now) for row in cursor]
    connection.executemany(
        "UPDATE events SET state = 'in flight', epoch = ?, ready_at = ? WHERE id = ?",
        [(one.epoch, one.until, one.event.id) for one in leases],
    )
    return leases


def extend(connection: sqlite3.Connection, *, lease: Lease, until: float) -> bool:
    """Hold an event longer; False where the lease is not in force."""
    return _touch(connection, lease, "UPDATE events SET ready_at = ?", until)


def next_due(connection: sqlite3.Connection) -> float | None:
    """Say when something is due."""
    row = connection.execute("SELECT min(ready_at) FROM events WHERE state <> 'dead'").fetchone()
    due: float | None = row[0]
    return due


def counts(connection: sqlite3.Connection, *, lane: Lane | None) -> Counts:
    """Count rows and tallies; rows by indices alone, so that a long queue is not read."""
    mine = "" if lane is None else f"AND {_OF_LANE}"
    of = _parameters(lane)
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
    connection: sqlite3.Connection, *, lane: Lane, after: str, limit: int
) -> list[DeadLetter]:
    """Give a function's dead letters by id."""
    cursor = connection.execute(
        f"SELECT * FROM events WHERE state = 'dead' AND {_OF_LANE} "  # noqa: S608  own text
        "AND id > :after ORDER BY id LIMIT :limit",
        _parameters(lane) | {"after": after, "limit": limit},
    )
    cursor.row_factory = sqlite3.Row
    return [dead_letter_of(row) for row in cursor]


def dead_letter(
    connection: sqlite3.Connection, *, namespace: str, event_id: str
) -> DeadLetter | None:
    """Give one dead letter."""
    cursor = connection.execute(
        "SELECT * FROM events WHERE state = 'dead' AND namespace = ? AND id = ?",
        (namespace, event_id),
    )
    cursor.row_factory = sqlite3.Row
    row = cursor.fetchone()
    return dead_letter_of(row) if row else None


def redrive(
    connection: sqlite3.Connection,
    *,
    lane: Lane,
    now: float,
    expires_at: float,
    ids: Sequence[str] | None,
) -> int:
    """Let dead letters wait again."""
    return connection.execute(
        "UPDATE events SET state = 'waiting', ready_at = :now, due_at = :now, "  # noqa: S608  own text
        f"expires_at = :expires_at, tries = 0, refusals = 0 WHERE {_DEAD}",
        _parameters(lane, ids) | {"now": now, "expires_at": expires_at},
    ).rowcount


def purge(connection: sqlite3.Connection, *, lane: Lane, ids: Sequence[str] | None) -> int:
    """Throw dead letters away."""
    of = _parameters(lane, ids)
    count = connection.execute(f"DELETE FROM events WHERE {_DEAD}", of).rowcount  # noqa: S608  own text
    connection.execute(
        f"UPDATE event_lanes SET purged = purged + :count WHERE {_OF_LANE}",  # noqa: S608  own text
        of | {"count": count},
    )
    return count


def _enqueue(
    connection: sqlite3.Connection, events: Sequence[Event], largest_lane: int
) -> list[bool] | QueueFullError:
    kept = {lane: _kept(connection, lane) for lane in {event.lane for event in events}}
    try:
        check_room(events, kept, largest_lane)
    except QueueFullError as refusal:
        return refusal
    return [_keep(connection, event) for event in events]


def _kept(connection: sqlite3.Connection, lane: Lane) -> int:
    row = connection.execute(
        "SELECT enqueued - done - purged FROM event_lanes WHERE namespace = ? AND function = ?",
        lane,
    ).fetchone()
    return row[0] if row else 0


def _keep(connection: sqlite3.Connection, event: Event) -> bool:
    taken = connection.execute("SELECT 1 FROM events WHERE id = ?", (event.id,)).fetchone()
    if taken or (event.dedup_key and not _keep_key(connection, event)):
        return False
    connection.execute(_INSERT, (*values_of(event), event.due_at))
    connection.execute(
        "INSERT INTO event_lanes (namespace, function, enqueued) VALUES (?, ?, 1) "
        "ON CONFLICT (namespace, function) DO UPDATE SET enqueued = enqueued + 1",
        event.lane,
    )
    return True


def _keep_key(connection: sqlite3.Connection, event: Event) -> bool:
    """Remember a dedup key; False where it is remembered already."""
    connection.execute("DELETE FROM event_keys WHERE until <= ?", (event.enqueued_at,))
    cursor = connection.execute(
        "INSERT OR IGNORE INTO event_keys VALUES (?, ?, ?, ?)",
        (*event.lane, event.dedup_key, event.enqueued_at + KEY_SECONDS),
    )
    return cursor.rowcount == 1


def _settle(connection: sqlite3.Connection, write: Settle) -> StaleLeaseError | None:
    lease, verdict = write.lease, write.verdict
    match verdict:
        case Done():
            settled = _touch(connection, lease, "DELETE FROM events")
            if settled:
                connection.execute(
                    "UPDATE event_lanes SET done = done + 1 WHERE namespace = ? AND function = ?",
                    lease.event.lane,
                )
        case Again():
            settled = _touch(
                connection, lease,
                "UPDATE events SET state = 'waiting', ready_at = ?, due_at = ?, tries = ?, "
                "refusals = ?, delivery = ?",
                verdict.due_at, verdict.due_at, verdict.tries, verdict.refusals, verdict.delivery,
            )  # fmt: skip
        case Dead():
            settled = _touch(
                connection, lease,
                "UPDATE events SET state = 'dead', reason = ?, message = ?, died_at = ?, tries = ?",
                verdict.reason, verdict.message, verdict.at, verdict.tries,
            )  # fmt: skip
    return None if settled else StaleLeaseError(lease)


def _touch(connection: sqlite3.Connection, lease: Lease, statement: str, *values: object) -> bool:
    """Change the row that a lease holds; False where the lease is not in force."""
    cursor = connection.execute(
        f"{statement} WHERE {_IN_FORCE}", (*values, lease.event.id, lease.epoch)
    )
    return cursor.rowcount == 1


def _parameters(lane: Lane | None, ids: Sequence[str] | None = None) -> dict[str, Any]:
    of = lane._asdict() if lane else {}
    return of | {"ids": None if ids is None else json.dumps(list(ids))}
