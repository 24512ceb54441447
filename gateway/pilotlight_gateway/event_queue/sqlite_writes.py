"""What changes the SQLite queue's tallies: groups of writes, and what is done to dead letters.

Each step of a statement takes the interpreter's lock anew, from an event loop that is busy; so a
group is a handful of statements of one step, whatever its size. Its rows go in as one JSON document
and their bytes as one blob beside it. Refusals are returned, not raised: what stands beside them in
the group goes on.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .interface import (
    KEY_SECONDS,
    Again,
    Dead,
    Done,
    FunctionKey,
    QueueFullError,
    StaleLeaseError,
)
from .rows import COLUMNS
from .writes import Enqueue, Room, Settle

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from .interface import Event, Limits
    from .writes import WriteResult

__all__ = ["apply", "purge", "redrive"]

_BYTES = ("payload", "delivery")
_PLAIN = tuple(column for column in COLUMNS if column not in _BYTES)
_FIELDS = ", ".join(f"row.value ->> {number}" for number in range(len(_PLAIN)))
_PIECES = ", ".join(
    f"substr(:bytes, row.value ->> {len(_PLAIN) + 2 * number}, "
    f"row.value ->> {len(_PLAIN) + 2 * number + 1})"
    for number in range(len(_BYTES))
)
_INSERT = f"""
INSERT INTO events ({", ".join((*_PLAIN, *_BYTES))}, ready_at)
SELECT {_FIELDS}, {_PIECES}, row.value ->> {_PLAIN.index("due_at")} FROM json_each(:rows) AS row
"""  # noqa: S608  own names
_KEPT = """
SELECT json_group_array(json_array(namespace, function, enqueued - done - purged))
FROM event_lanes WHERE (namespace, function) IN (
    SELECT row.value ->> 0, row.value ->> 1 FROM json_each(:rows) AS row
)
"""
_KEPT_BYTES = """
SELECT json_group_array(json_array(namespace, function, bytes)) FROM event_bytes
WHERE namespace IN (SELECT row.value FROM json_each(:rows) AS row)
"""
_KNOWN_IDS = """
SELECT json_group_array(row.value) FROM json_each(:rows) AS row
WHERE EXISTS (SELECT 1 FROM events WHERE events.id = row.value)
"""
_KNOWN_KEYS = """
SELECT json_group_array(json_array(namespace, function, dedup_key))
FROM event_keys WHERE (namespace, function, dedup_key) IN (
    SELECT row.value ->> 0, row.value ->> 1, row.value ->> 2 FROM json_each(:rows) AS row
)
"""
_KEEP_KEYS = """
INSERT INTO event_keys
SELECT row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3
FROM json_each(:rows) AS row
"""
_COUNT = """
INSERT INTO event_lanes (namespace, function, {tally})
SELECT row.value ->> 0, row.value ->> 1, row.value ->> 2 FROM json_each(:rows) AS row WHERE true
ON CONFLICT (namespace, function) DO UPDATE SET {tally} = {tally} + excluded.{tally}
"""
_IN_FORCE = """
SELECT json_group_array(json_array(events.id, epoch)) FROM json_each(:rows) AS row
JOIN events ON events.id = row.value ->> 0
WHERE epoch = row.value ->> 1 AND state = 'in flight'
"""
_DONE = "DELETE FROM events WHERE id IN (SELECT row.value ->> 0 FROM json_each(:rows) AS row)"
_AGAIN = """
UPDATE events SET state = 'waiting', ready_at = row.value ->> 1, due_at = row.value ->> 1,
    tries = row.value ->> 2, refusals = row.value ->> 3,
    delivery = substr(:bytes, row.value ->> 4, row.value ->> 5)
FROM json_each(:rows) AS row WHERE events.id = row.value ->> 0
"""
_DEAD = """
UPDATE events SET state = 'dead', reason = row.value ->> 1, message = row.value ->> 2,
    died_at = row.value ->> 3, tries = row.value ->> 4
FROM json_each(:rows) AS row WHERE events.id = row.value ->> 0
"""
_DEAD_LETTERS = (
    "state = 'dead' AND namespace = :namespace AND function = :function "
    "AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))"
)


@dataclass(slots=True)
class _Bytes:
    """Many values in one blob; SQLite cuts them out by place and length."""

    pieces: list[bytes] = field(default_factory=list)
    length: int = 0

    def add(self, value: bytes) -> tuple[int, int]:
        """Put a value in; returns its place, counted from 1, and its length."""
        place = self.length + 1
        self.pieces.append(value)
        self.length += len(value)
        return place, len(value)

    def joined(self) -> bytes:
        """Return the blob; never empty, for SQLite takes an empty one as NULL."""
        return b"".join(self.pieces) or b"\0"


def apply(
    connection: sqlite3.Connection, *, writes: Sequence[Enqueue | Settle], limits: Limits
) -> list[WriteResult | Exception]:
    """Do a group of writes: first those that keep, then those that settle."""
    outcomes: dict[int, WriteResult | Exception] = {}
    enqueues = [(number, one) for number, one in enumerate(writes) if isinstance(one, Enqueue)]
    settles = [(number, one) for number, one in enumerate(writes) if isinstance(one, Settle)]
    if enqueues:
        outcomes |= _enqueue(connection, enqueues, limits)
    if settles:
        outcomes |= _settle(connection, settles)
    return [outcomes[number] for number in range(len(writes))]


def redrive(
    connection: sqlite3.Connection,
    *,
    function: FunctionKey,
    now: float,
    expires_at: float,
    ids: Sequence[str] | None,
) -> int:
    """Let dead letters wait again."""
    return connection.execute(
        "UPDATE events SET state = 'waiting', ready_at = :now, due_at = :now, "  # noqa: S608  own text
        f"expires_at = :expires_at, tries = 0, refusals = 0 WHERE {_DEAD_LETTERS}",
        _of(function, ids) | {"now": now, "expires_at": expires_at},
    ).rowcount


def purge(
    connection: sqlite3.Connection, *, function: FunctionKey, ids: Sequence[str] | None
) -> int:
    """Throw dead letters away."""
    count = connection.execute(
        f"DELETE FROM events WHERE {_DEAD_LETTERS}",  # noqa: S608  own text
        _of(function, ids),
    ).rowcount
    _count(connection, "purged", {function: count})
    return count


def _enqueue(
    connection: sqlite3.Connection, writes: Sequence[tuple[int, Enqueue]], limits: Limits
) -> dict[int, WriteResult | Exception]:
    """Keep the events of several writes; returns each write's outcome by its number."""
    room = _room(connection, [event for _, write in writes for event in write.events], limits)
    outcomes: dict[int, WriteResult | Exception] = {}
    fitting: list[tuple[int, Sequence[Event]]] = []
    for number, write in writes:
        try:
            room.take(write.events)
        except QueueFullError as refusal:
            outcomes[number] = refusal
        else:
            fitting.append((number, write.events))
    new = _keep(connection, [event for _, events in fitting for event in events])
    for number, events in fitting:
        # Of two events with one id in one group the first is the new one.
        outcomes[number] = [new.pop(event.id, None) is not None for event in events]
    return outcomes


def _room(connection: sqlite3.Connection, events: Sequence[Event], limits: Limits) -> Room:
    """Read what the functions of events keep."""
    found = _rows(connection, _KEPT, {event.function_key for event in events})
    sizes = _rows(connection, _KEPT_BYTES, {event.namespace for event in events})
    accounts: Counter[str] = Counter()
    for namespace, _, size in sizes:
        accounts[namespace] += size
    return Room(
        limits,
        {FunctionKey(namespace, function): count for namespace, function, count in found},
        {FunctionKey(namespace, function): size for namespace, function, size in sizes},
        accounts,
    )


def _keep(connection: sqlite3.Connection, events: Sequence[Event]) -> dict[str, Event]:
    """Keep what is not kept yet; returns the events that are new by id."""
    known = set(_rows(connection, _KNOWN_IDS, [event.id for event in events]))
    fresh = {event.id: event for event in reversed(events) if event.id not in known}
    wanted = _without_known_keys(connection, list(fresh.values())[::-1])
    blob = _Bytes()
    rows = [
        [getattr(event, column) for column in _PLAIN]
        + [part for column in _BYTES for part in blob.add(getattr(event, column))]
        for event in wanted
    ]
    if rows:
        connection.execute(_INSERT, {"rows": json.dumps(rows), "bytes": blob.joined()})
        _count(connection, "enqueued", Counter(event.function_key for event in wanted))
    return {event.id: event for event in wanted}


def _without_known_keys(connection: sqlite3.Connection, events: Sequence[Event]) -> list[Event]:
    """Remember dedup keys; leaves out events whose key was remembered."""
    keyed = {
        (*event.function_key, event.dedup_key): event
        for event in reversed(events)
        if event.dedup_key
    }
    if not keyed:
        return list(events)
    oldest = min(event.enqueued_at for event in keyed.values())
    connection.execute("DELETE FROM event_keys WHERE until <= ?", (oldest,))
    known = {tuple(key) for key in _rows(connection, _KNOWN_KEYS, keyed)}
    fresh = {key: event for key, event in keyed.items() if key not in known}
    rows = [[*key, event.enqueued_at + KEY_SECONDS] for key, event in fresh.items()]
    connection.execute(_KEEP_KEYS, {"rows": json.dumps(rows)})
    new = {event.id for event in fresh.values()}
    return [event for event in events if not event.dedup_key or event.id in new]


def _settle(
    connection: sqlite3.Connection, writes: Sequence[tuple[int, Settle]]
) -> dict[int, WriteResult | Exception]:
    """Settle leases; returns each write's outcome by its number."""
    outcomes: dict[int, WriteResult | Exception] = {
        number: StaleLeaseError(write.lease) for number, write in writes
    }
    # A lease that is settled twice in one group counts once.
    first = {(one.lease.event.id, one.lease.epoch): (number, one) for number, one in writes[::-1]}
    in_force = [first[event_id, epoch] for event_id, epoch in _rows(connection, _IN_FORCE, first)]
    outcomes |= dict.fromkeys(number for number, _ in in_force)
    _settle_alike(connection, [write for _, write in in_force])
    return outcomes


def _settle_alike(connection: sqlite3.Connection, writes: Sequence[Settle]) -> None:
    """Do what settlements say, one statement a kind."""
    blob = _Bytes()
    rows: dict[str, list[list[Any]]] = {_DONE: [], _AGAIN: [], _DEAD: []}
    for write in writes:
        held = write.lease.event.id
        match write.settlement:
            case Done():
                rows[_DONE].append([held])
            case Again() as again:
                place = blob.add(again.delivery)
                rows[_AGAIN].append([held, again.due_at, again.tries, again.refusals, *place])
            case Dead() as dead:
                rows[_DEAD].append([held, dead.reason, dead.message, dead.at, dead.tries])
    for statement, of_kind in rows.items():
        if of_kind:
            connection.execute(statement, {"rows": json.dumps(of_kind), "bytes": blob.joined()})
    done = Counter(
        one.lease.event.function_key for one in writes if isinstance(one.settlement, Done)
    )
    _count(connection, "done", done)


def _count(connection: sqlite3.Connection, tally: str, counts: Mapping[FunctionKey, int]) -> None:
    rows = [[*function, count] for function, count in counts.items() if count]
    if rows:
        connection.execute(_COUNT.format(tally=tally), {"rows": json.dumps(rows)})


def _rows(connection: sqlite3.Connection, statement: str, rows: Iterable[Any]) -> list[Any]:
    """Ask about rows; the answer is one document, so one step."""
    [document] = connection.execute(statement, {"rows": json.dumps(list(rows))}).fetchone()
    found: list[Any] = json.loads(document)
    return found


def _of(function: FunctionKey, ids: Sequence[str] | None) -> dict[str, Any]:
    return function._asdict() | {"ids": None if ids is None else json.dumps(list(ids))}
