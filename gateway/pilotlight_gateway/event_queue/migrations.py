"""The tables of the queue in both databases, as numbered steps that go forward and back.

A step only adds, so that a gateway one version behind works on, and its way back loses nothing that
the version before knew. `sqlite` and `postgres` run `steps` inside one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pilotlight.errors import StateVersionError

__all__ = ["NEWEST", "VERSION_TABLE", "Dialect", "steps"]

Dialect = Literal["sqlite", "postgres"]

VERSION_TABLE = "CREATE TABLE IF NOT EXISTS event_queue_version (version integer NOT NULL)"

_TYPES: dict[Dialect, dict[str, str]] = {
    "sqlite": {
        "number": "integer PRIMARY KEY AUTOINCREMENT",
        "text": "text", "bytes": "blob", "time": "real", "count": "integer",
    },
    "postgres": {
        "number": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "text": 'text COLLATE "C"', "bytes": "bytea", "time": "double precision", "count": "bigint",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Migration:
    forward: tuple[str, ...]
    back: tuple[str, ...]
    triggers: dict[Dialect, tuple[str, ...]] = field(default_factory=dict)
    """Made after `forward`."""
    back_triggers: dict[Dialect, tuple[str, ...]] = field(default_factory=dict)
    """Done before `back`."""


# event_lanes holds each function's tallies; a table keeps the name that it was made by.
_EVENTS = _Migration(
    forward=(
        """
        CREATE TABLE events (
            number {number},
            id {text} NOT NULL UNIQUE,
            account {text} NOT NULL,
            namespace {text} NOT NULL,
            function {text} NOT NULL,
            qualifier {text} NOT NULL,
            payload {bytes} NOT NULL,
            trace_id {text} NOT NULL,
            dedup_key {text} NOT NULL,
            enqueued_at {time} NOT NULL,
            due_at {time} NOT NULL,
            expires_at {time} NOT NULL,
            hold_seconds {time} NOT NULL,
            tries integer NOT NULL,
            refusals integer NOT NULL,
            delivery {bytes} NOT NULL,
            state {text} NOT NULL DEFAULT 'waiting',
            ready_at {time} NOT NULL,
            epoch {count} NOT NULL DEFAULT 0,
            reason {text} NOT NULL DEFAULT '',
            message {text} NOT NULL DEFAULT '',
            died_at {time} NOT NULL DEFAULT 0
        )
        """,
        """
        CREATE INDEX events_alive ON events (namespace, function, ready_at, number, state)
        WHERE state <> 'dead'
        """,
        "CREATE INDEX events_ready ON events (ready_at) WHERE state <> 'dead'",
        "CREATE INDEX events_dead ON events (namespace, function, id) WHERE state = 'dead'",
        """
        CREATE TABLE event_lanes (
            namespace {text} NOT NULL,
            function {text} NOT NULL,
            enqueued {count} NOT NULL DEFAULT 0,
            done {count} NOT NULL DEFAULT 0,
            purged {count} NOT NULL DEFAULT 0,
            PRIMARY KEY (namespace, function)
        )
        """,
    ),
    back=("DROP TABLE event_lanes", "DROP TABLE events"),
)
_KEYS = _Migration(
    forward=(
        """
        CREATE TABLE event_keys (
            namespace {text} NOT NULL,
            function {text} NOT NULL,
            dedup_key {text} NOT NULL,
            until {time} NOT NULL,
            PRIMARY KEY (namespace, function, dedup_key)
        )
        """,
        "CREATE INDEX event_keys_until ON event_keys (until)",
    ),
    back=("DROP TABLE event_keys",),
)
# By triggers, so that what a gateway one version behind writes is counted as well.
_BYTES = _Migration(
    forward=(
        """
        CREATE TABLE event_bytes (
            namespace {text} NOT NULL,
            function {text} NOT NULL,
            bytes {count} NOT NULL,
            PRIMARY KEY (namespace, function)
        )
        """,
        """
        INSERT INTO event_bytes
        SELECT namespace, function, sum(length(payload)) FROM events GROUP BY namespace, function
        """,
    ),
    back=("DROP TABLE event_bytes",),
    triggers={
        "sqlite": (
            """
            CREATE TRIGGER event_bytes_come AFTER INSERT ON events BEGIN
                INSERT INTO event_bytes VALUES (new.namespace, new.function, length(new.payload))
                ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
            END
            """,
            """
            CREATE TRIGGER event_bytes_go AFTER DELETE ON events BEGIN
                UPDATE event_bytes SET bytes = bytes - length(old.payload)
                WHERE namespace = old.namespace AND function = old.function;
            END
            """,
        ),
        "postgres": (
            """
            CREATE FUNCTION event_bytes_come() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO event_bytes AS kept
                SELECT namespace, function, sum(length(payload)) FROM came
                GROUP BY namespace, function ORDER BY namespace, function
                ON CONFLICT (namespace, function) DO UPDATE SET bytes = kept.bytes + excluded.bytes;
                RETURN NULL;
            END $$
            """,
            """
            CREATE FUNCTION event_bytes_go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                UPDATE event_bytes AS kept SET bytes = kept.bytes - gone.bytes FROM (
                    SELECT namespace, function, sum(length(payload)) AS bytes FROM went
                    GROUP BY namespace, function
                ) AS gone
                WHERE kept.namespace = gone.namespace AND kept.function = gone.function;
                RETURN NULL;
            END $$
            """,
            """
            CREATE TRIGGER event_bytes_come AFTER INSERT ON events
            REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION event_bytes_come()
            """,
            """
            CREATE TRIGGER event_bytes_go AFTER DELETE ON events
            REFERENCING OLD TABLE AS went FOR EACH STATEMENT EXECUTE FUNCTION event_bytes_go()
            """,
        ),
    },
    back_triggers={
        "sqlite": ("DROP TRIGGER event_bytes_come", "DROP TRIGGER event_bytes_go"),
        "postgres": (
            "DROP FUNCTION event_bytes_come() CASCADE",
            "DROP FUNCTION event_bytes_go() CASCADE",
        ),
    },
)
_SOURCE_LEASES = _Migration(
    forward=(
        """
        CREATE TABLE source_leases (
            mapping {text} NOT NULL,
            shard {text} NOT NULL,
            holder {text} NOT NULL DEFAULT '',
            epoch {count} NOT NULL DEFAULT 0,
            until {time} NOT NULL DEFAULT 0,
            checkpoint {text} NOT NULL DEFAULT '',
            finished integer NOT NULL DEFAULT 0,
            PRIMARY KEY (mapping, shard)
        )
        """,
        """
        CREATE TABLE source_gateways (
            holder {text} NOT NULL PRIMARY KEY,
            until {time} NOT NULL
        )
        """,
    ),
    back=("DROP TABLE source_gateways", "DROP TABLE source_leases"),
)
_TENANTS = _Migration(
    forward=("ALTER TABLE events ADD COLUMN tenant_id {text} NOT NULL DEFAULT ''",),
    back=("ALTER TABLE events DROP COLUMN tenant_id",),
)
_MIGRATIONS = (_EVENTS, _KEYS, _BYTES, _SOURCE_LEASES, _TENANTS)

NEWEST = len(_MIGRATIONS)
"""The version that this Pilotlight works with."""


def steps(dialect: Dialect, present: int, wanted: int = NEWEST) -> list[str]:
    """Return the statements that lead from one version to another.

    A database that is one version ahead is left as it is, for whoever is ahead serves from it;
    raises StateVersionError where it is further.
    """
    if wanted == NEWEST and present > NEWEST:
        _refuse_far_ahead(present)
        return []
    forward = [
        step
        for one in _MIGRATIONS[present:wanted]
        for step in (*one.forward, *one.triggers.get(dialect, ()))
    ]
    back = [
        step
        for one in reversed(_MIGRATIONS[wanted:present])
        for step in (*one.back_triggers.get(dialect, ()), *one.back)
    ]
    return [step.format(**_TYPES[dialect]) for step in (*forward, *back)]


def _refuse_far_ahead(present: int) -> None:
    if present > NEWEST + 1:
        raise StateVersionError(
            f"the event queue has schema version {present}, written by a newer Pilotlight; "
            f"this one works with versions up to {NEWEST + 1}"
        )
