"""One SQLite file and the one thread that touches it.

SQLite has one writer at a time; giving the file a single thread makes every operation a turn of
its own, keeps the event loop free while the disk syncs, and leaves nothing to lock. What stands in
the file is the business of its users: `resources` and `logs`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Literal, TypeVar

from pilotlight.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["SqliteDatabase"]

T = TypeVar("T")
_PRIVATE = 0o600
"""Databases hold variables, events and Secrets: they are their owner's alone."""


class SqliteDatabase:
    """A database file in WAL mode.

    `synchronous` FULL makes a commit survive a power cut; NORMAL may lose the last ones then, but
    never in a crash of the process (SQLite documentation, "PRAGMA synchronous").
    """

    def __init__(
        self, path: Path, schema: str, *, synchronous: Literal["FULL", "NORMAL"] = "FULL"
    ) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{path.stem}")
        self._connection = self._open(schema, synchronous)

    def _open(self, schema: str, synchronous: str) -> sqlite3.Connection:
        try:
            # SQLite gives the files beside it the same mode.
            self._path.touch(mode=_PRIVATE)
            self._path.chmod(_PRIVATE)
            with ExitStack() as undo:
                # The connection moves to its thread once it is set up and never leaves it.
                connection = undo.enter_context(
                    closing(
                        sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
                    )
                )
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(f"PRAGMA synchronous={synchronous}")
                connection.executescript(schema)
                undo.pop_all()
        except (sqlite3.Error, OSError) as error:
            raise UnavailableError(f"cannot open {self._path}: {error}") from error
        return connection

    async def run(
        self,
        operation: Callable[[sqlite3.Connection], T],
        *,
        committed: Callable[[T], None] | None = None,
    ) -> T:
        """Run an operation as one transaction; raises what it raises, or UnavailableError.

        `committed` gets the result once it is durable, in the file's thread and so in the order
        of the commits. A caller that is cancelled does not stop an operation that has begun.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run, operation, committed)

    def _run(
        self,
        operation: Callable[[sqlite3.Connection], T],
        committed: Callable[[T], None] | None,
    ) -> T:
        try:
            with self._transaction() as connection:
                result = operation(connection)
        except sqlite3.Error as error:
            raise UnavailableError(f"{self._path}: {error}") from error
        if committed is not None:
            committed(result)
        return result

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled the transaction back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Finish what has begun and close the file."""
        self._thread.shutdown(wait=True)
        self._connection.close()
