"""Log lines in PostgreSQL, a partition a day: `LogStore` for a cluster.

Old lines go by dropping a day, which costs the same however many there were. The bounds are an age
and a size; whichever is met first drops the oldest days, and a day that alone is too large loses
its older half.
"""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pilotlight.storage.interfaces import LogLine

from .database import LOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import asyncpg

    from pilotlight.storage.interfaces import LogQuery

    from .database import PostgresDatabase

__all__ = ["PostgresLogs"]

DAYS = 14
LARGEST = 4 * 1024**3
"""Bytes of all days together."""
TRIM_EVERY = 10_000
"""Lines between two looks at the bounds."""

_APPEND = """
INSERT INTO log_lines (day, time, namespace, function, stream, request_id, message)
SELECT $1, * FROM unnest($2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
"""
_WANTED = """
SELECT id, time, namespace, function, stream, request_id, message FROM log_lines
WHERE namespace = $1 AND function = $2 AND time >= $3 AND id > $4
AND ($5::text IS NULL OR request_id = $5)
"""
_FIRST = f"{_WANTED} ORDER BY id LIMIT $6"
_LAST = f"{_WANTED} ORDER BY id DESC LIMIT $6"
_DAYS = """
SELECT child.relname AS name, pg_total_relation_size(child.oid) AS size
FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'log_lines'::regclass ORDER BY child.relname DESC
"""
_HALVE = """
DELETE FROM log_lines WHERE day = $1 AND id <= (
    SELECT (min(id) + max(id)) / 2 FROM log_lines WHERE day = $1
)
"""


class PostgresLogs:
    """Log lines in a database."""

    def __init__(
        self,
        database: PostgresDatabase,
        *,
        days: int = DAYS,
        largest: int = LARGEST,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._database = database
        self._days = days
        self._largest = largest
        self._today = today
        self._made: date | None = None
        self._untrimmed = 0

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        if not lines:
            return
        today = self._today()
        async with self._database.connection() as connection:
            if self._made != today or self._untrimmed >= TRIM_EVERY:
                await self._trim(connection, today)
                self._made, self._untrimmed = today, 0
            await connection.execute(_APPEND, today, *_columns(lines))
        self._untrimmed += len(lines)

    async def query(self, query: LogQuery) -> list[LogLine]:
        """Return the last `limit` lines of a query, or the first ones after `after_id`."""
        statement = _FIRST if query.after_id else _LAST
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                statement,
                query.namespace,
                query.function,
                query.since,
                query.after_id,
                query.request_id,
                query.limit,
            )
        lines = [LogLine(**row) for row in rows]
        return lines if query.after_id else lines[::-1]

    async def _trim(self, connection: asyncpg.Connection, today: date) -> None:
        """Make today's partition and keep to the bounds."""
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {_partition(today)} "
                f"PARTITION OF log_lines FOR VALUES IN ('{today.isoformat()}')"
            )
            sizes = {row["name"]: row["size"] for row in await connection.fetch(_DAYS)}
            for name in self._too_old(sizes, today):
                await connection.execute(f"DROP TABLE {name}")
            if sizes[_partition(today)] > self._largest:
                await connection.execute(_HALVE, today)

    def _too_old(self, sizes: dict[str, int], today: date) -> list[str]:
        oldest = _partition(today - timedelta(days=self._days - 1))
        newer = itertools.accumulate(sizes.values())
        return [
            name
            for name, kept in zip(sizes, newer, strict=True)
            if name < oldest or (kept > self._largest and name != _partition(today))
        ]


def _partition(day: date) -> str:
    return f"log_lines_{day:%Y%m%d}"


def _columns(lines: Sequence[LogLine]) -> tuple[list[object], ...]:
    # PostgreSQL's text holds no NUL.
    rows = [
        (
            line.time,
            line.namespace,
            line.function,
            line.stream,
            line.request_id,
            line.message.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        )
        for line in lines
    ]
    return tuple(list(column) for column in zip(*rows, strict=True))
