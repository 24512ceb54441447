"""Log lines of one machine, in one SQLite file that neither time nor a chatty function fills.

Whoever appends while another append is on the disk waits with its lines and the next write takes
everything that waits, so that a flood costs few transactions.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from pilotlight.storage.interfaces import LogLine, LogQuery, LogStream
from pilotlight.storage.log_shares import LINE_BYTES, dropped, fair_share

from .database import SqliteDatabase

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["SqliteLogs"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    namespace TEXT NOT NULL,
    function TEXT NOT NULL,
    stream TEXT NOT NULL,
    request_id TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS lines_by_function ON lines (namespace, function, id);
CREATE INDEX IF NOT EXISTS lines_by_time ON lines (time);
"""
_WANTED = """
SELECT time, namespace, function, stream, request_id, message, id FROM lines
WHERE namespace = :namespace AND function = :function AND id > :after_id AND id < :before_id
AND time >= :since AND time < :until
AND (:request_id IS NULL OR request_id = :request_id) AND (:stream IS NULL OR stream = :stream)
"""
_INSERT = "INSERT INTO lines (time, namespace, function, stream, request_id, message) VALUES "
_COLUMNS = 6
_ROW = f"({', '.join('?' * _COLUMNS)})"
_MOST_ROWS = 64
"""Of one statement, which is prepared once for each number of them."""
_FIRST = f"{_WANTED} ORDER BY id LIMIT :limit"
_LAST = f"{_WANTED} ORDER BY id DESC LIMIT :limit"
_MINE = "FROM lines WHERE namespace = :namespace AND function = :function"
_BYTES = f"length(CAST(message AS BLOB)) + {LINE_BYTES}"
_SIZES = f"SELECT namespace, function, sum({_BYTES}) FROM lines GROUP BY namespace, function"  # noqa: S608  own text
_BEYOND = f"""
SELECT max(id), count(*), sum(bytes - {LINE_BYTES}) FROM (
    SELECT id, {_BYTES} AS bytes, sum({_BYTES}) OVER (ORDER BY id DESC) AS kept {_MINE}
) WHERE kept > :share
"""  # noqa: S608  own text
_DELETE = f"DELETE {_MINE} AND id <= :last"
_DELETE_OLD = """
DELETE FROM lines
WHERE namespace = ? AND function = ? AND time < ? AND stream = coalesce(?, stream) RETURNING id
"""
_STREAMS = """
SELECT stream, min(time), max(time) FROM lines
WHERE namespace = ? AND function = ? GROUP BY stream ORDER BY stream
"""
_TRIM_EVERY = 1000
"""Lines between two looks at the bounds."""
_LOOKS = 16
"""At the bounds, while as much is written as may be kept."""
_KEPT = 0.9
"""Of what may be kept, where room is made."""


class SqliteLogs:
    """A `LogStore` in one file of at most about `max_bytes`, with nothing older than `max_age`."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = 256 * 1024 * 1024,
        max_age: float = 7 * 86_400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # The last lines may go in a power cut, so that a write need not wait for the disk.
        self._database = SqliteDatabase(path, _SCHEMA, synchronous="NORMAL")
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock
        self._waiting: list[LogLine] = []
        self._writing = asyncio.Lock()
        self._untrimmed = self._untrimmed_bytes = 0

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keep lines; raises UnavailableError if they, or what waited with them, were lost."""
        self._waiting.extend(lines)
        async with self._writing:
            batch, self._waiting = self._waiting, []
            if batch:
                await self._database.run(partial(_insert, batch))
                await self._trim(batch)

    async def query(self, query: LogQuery) -> list[LogLine]:
        """Return the last `limit` lines of a query, or the first ones, by id."""
        return await self._database.run(partial(_select, query))

    async def streams(self, namespace: str, function: str) -> list[LogStream]:
        """Return the streams of a function, by name."""
        rows = await self._database.run(partial(_fetch, _STREAMS, (namespace, function)))
        return [LogStream(*row) for row in rows]

    async def delete(
        self, namespace: str, function: str, *, until: float, stream: str | None = None
    ) -> int:
        """Delete a function's lines, or a stream's, from before a time; returns how many."""
        of = (namespace, function, until, stream)
        return len(await self._database.run(partial(_fetch, _DELETE_OLD, of)))

    def close(self) -> None:
        """Finish what has begun and close the file."""
        self._database.close()

    async def _trim(self, appended: Sequence[LogLine]) -> None:
        self._untrimmed += len(appended)
        self._untrimmed_bytes += sum(len(line.message) + LINE_BYTES for line in appended)
        if self._untrimmed >= _TRIM_EVERY or self._untrimmed_bytes >= self._max_bytes // _LOOKS:
            self._untrimmed = self._untrimmed_bytes = 0
            await self._database.run(
                partial(_make_room, self._clock(), self._max_age, self._max_bytes)
            )


def _insert(lines: Sequence[LogLine], connection: sqlite3.Connection) -> None:
    # Many lines a statement: each step of one takes the interpreter's lock anew, and the event
    # loop that would have to give it up is the one that serves invocations.
    for start in range(0, len(lines), _MOST_ROWS):
        some = lines[start : start + _MOST_ROWS]
        values = [value for line in some for value in line[:_COLUMNS]]
        try:
            connection.execute(_statement(len(some)), values)
        except UnicodeEncodeError:  # half a character, which a function may print
            connection.execute(_statement(len(some)), [_encodable(value) for value in values])


@functools.cache
def _statement(rows: int) -> str:
    return _INSERT + ", ".join([_ROW] * rows)


def _encodable(value: object) -> object:
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _select(query: LogQuery, connection: sqlite3.Connection) -> list[LogLine]:
    parameters = dataclasses.asdict(query)
    if query.first or query.after_id:
        return [LogLine(*row) for row in connection.execute(_FIRST, parameters)]
    return [LogLine(*row) for row in connection.execute(_LAST, parameters)][::-1]


def _fetch(statement: str, values: tuple[object, ...], connection: sqlite3.Connection) -> list[Any]:
    return connection.execute(statement, values).fetchall()


def _make_room(now: float, max_age: float, max_bytes: int, connection: sqlite3.Connection) -> None:
    """Delete what is too old, then the oldest lines of whoever has more than a fair share.

    The file does not shrink; its free pages are used again.
    """
    connection.execute("DELETE FROM lines WHERE time < ?", (now - max_age,))
    used = _used_bytes(connection)
    if used <= max_bytes:
        return
    sizes = {
        (namespace, function): size for namespace, function, size in connection.execute(_SIZES)
    }
    share = fair_share(sizes.values(), int(sum(sizes.values()) * max_bytes / used * _KEPT))
    for (namespace, function), size in sizes.items():
        if size > share:
            _cut({"namespace": namespace, "function": function, "share": share}, now, connection)


def _cut(wanted: dict[str, Any], now: float, connection: sqlite3.Connection) -> None:
    """Delete the oldest lines of a function beyond its share, and say so in its log."""
    last, count, size = connection.execute(_BEYOND, wanted).fetchone()
    connection.execute(_DELETE, wanted | {"last": last})
    line = LogLine(now, wanted["namespace"], wanted["function"], "", "", dropped(count, size))
    _insert([line], connection)


def _used_bytes(connection: sqlite3.Connection) -> int:
    names = ("page_count", "freelist_count", "page_size")
    total, free, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
    return (total - free) * size
