"""Log lines in PostgreSQL, a partition a day: `LogStore` for a cluster.

Old lines go by dropping a day, which costs the same however many there were. The bounds are an age
and a size; whichever is met first drops the oldest days. Of a day that alone is too large, whoever
has more than a fair share loses older lines.
"""

from __future__ import annotations

import itertools
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg

from pilotlight.storage.interfaces import LogLine, LogStream
from pilotlight.storage.log_shares import LINE_BYTES, dropped, fair_share

from .database import LOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pilotlight.storage.interfaces import LogQuery

    from .database import PostgresDatabase

__all__ = ["PostgresLogs"]

DAYS = 14
LARGEST = 4 * 1024**3
"""Bytes of all days together."""
TRIM_EVERY = 10_000
"""Lines between two looks at the bounds."""
_LOOKS = 64
"""At the bounds, while as much is written as may be kept."""

_APPEND = """
INSERT INTO log_lines (day, time, namespace, function, stream, request_id, message)
SELECT $1, * FROM unnest($2::float8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
"""
_WANTED = """
SELECT id, time, namespace, function, stream, request_id, message FROM log_lines
WHERE namespace = $1 AND function = $2 AND time >= $3 AND time < $4 AND id > $5 AND id < $6
AND ($7::text IS NULL OR request_id = $7) AND ($8::text IS NULL OR stream = $8)
"""
_FIRST = f"{_WANTED} ORDER BY id LIMIT $9"
_LAST = f"{_WANTED} ORDER BY id DESC LIMIT $9"
_STREAMS = """
SELECT stream AS name, min(time) AS first_time, max(time) AS last_time
FROM log_lines WHERE namespace = $1 AND function = $2 GROUP BY stream ORDER BY stream
"""
_DELETE_OLD = """
DELETE FROM log_lines
WHERE namespace = $1 AND function = $2 AND time < $3 AND stream = coalesce($4, stream)
"""
_DAYS = """
SELECT child.relname AS name, pg_total_relation_size(child.oid) AS size
FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'log_lines'::regclass ORDER BY child.relname DESC
"""
_BYTES = f"(octet_length(message) + {LINE_BYTES})"
_SIZES = f"""
SELECT namespace, function, sum({_BYTES})::bigint AS size FROM log_lines
WHERE day = $1 GROUP BY namespace, function
"""  # noqa: S608  own text
_CUT = f"""
WITH measured AS (
    SELECT id, {_BYTES} AS bytes, sum({_BYTES}) OVER (ORDER BY id DESC) AS kept FROM log_lines
    WHERE day = $1 AND namespace = $2 AND function = $3
), gone AS (
    DELETE FROM log_lines USING measured
    WHERE day = $1 AND log_lines.id = measured.id AND kept > $4
    RETURNING bytes - {LINE_BYTES} AS bytes
)
SELECT count(*) AS lines, coalesce(sum(bytes), 0)::bigint AS size FROM gone
"""  # noqa: S608  own text
_KEPT = 0.9
"""Of what may be kept, where room is made."""


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
        self._untrimmed = self._untrimmed_bytes = 0

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        if not lines:
            return
        today = self._today()
        async with self._database.connection() as connection:
            if self._made != today or self._is_due:
                await self._trim(connection, today)
                self._made, self._untrimmed, self._untrimmed_bytes = today, 0, 0
            try:
                await connection.execute(_APPEND, today, *_columns(lines))
            except asyncpg.CheckViolationError:  # the day's partition went with its database
                self._made = None
                raise
        self._untrimmed += len(lines)
        self._untrimmed_bytes += sum(len(line.message) + LINE_BYTES for line in lines)

    async def query(self, query: LogQuery) -> list[LogLine]:
        """Return the last `limit` lines of a query, or the first ones, by id."""
        first = query.first or bool(query.after_id)
        statement = _FIRST if first else _LAST
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                statement,
                query.namespace,
                query.function,
                query.since,
                query.until,
                query.after_id,
                query.before_id,
                query.request_id,
                query.stream,
                query.limit,
            )
        lines = [LogLine(**row) for row in rows]
        return lines if first else lines[::-1]

    async def streams(self, namespace: str, function: str) -> list[LogStream]:
        """Return the streams of a function, by name."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_STREAMS, namespace, function)
        return [LogStream(**row) for row in rows]

    async def delete(
        self, namespace: str, function: str, *, until: float, stream: str | None = None
    ) -> int:
        """Delete a function's lines, or a stream's, from before a time; returns how many."""
        async with self._database.connection() as connection:
            done = await connection.execute(_DELETE_OLD, namespace, function, until, stream)
        return int(done.removeprefix("DELETE "))

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
                await self._make_room(connection, today)

    @property
    def _is_due(self) -> bool:
        large = self._untrimmed_bytes >= self._largest // _LOOKS
        return large or self._untrimmed >= TRIM_EVERY

    async def _make_room(self, connection: asyncpg.Connection, today: date) -> None:
        """Cut functions to a fair share of the day; what was deleted before takes no room."""
        rows = await connection.fetch(_SIZES, today)
        share = fair_share([row["size"] for row in rows], int(self._largest * _KEPT))
        for row in rows:
            if row["size"] > share:
                of = (row["namespace"], row["function"])
                gone = await connection.fetchrow(_CUT, today, *of, share)
                told = LogLine(time.time(), *of, "", "", dropped(gone["lines"], gone["size"]))
                await connection.execute(_APPEND, today, *_columns([told]))

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
