"""The connection to PostgreSQL that the stores of a cluster share, and the version of their schema.

Nothing connects before it is needed and a lost connection is replaced, so that operator and
gateway start, and stay up, while the database is away. One that comes back without its tables gets
them again; where it has become a standby, the one that leads is looked for. `artifacts` and `logs`
hold the statements.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from pilotlight.errors import StateVersionError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["MIGRATIONS", "PostgresDatabase"]

FIRST_SCHEMA = """
CREATE TABLE artifacts (
    sha256 text PRIMARY KEY,
    upload uuid NOT NULL UNIQUE,
    size bigint NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE artifact_chunks (
    upload uuid NOT NULL
        REFERENCES artifacts (upload) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    number integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (upload, number)
);
CREATE SEQUENCE log_line_ids;
CREATE TABLE log_lines (
    day date NOT NULL,
    id bigint NOT NULL DEFAULT nextval('log_line_ids'),
    time double precision NOT NULL,
    namespace text NOT NULL,
    function text NOT NULL,
    stream text NOT NULL,
    request_id text NOT NULL,
    message text NOT NULL
) PARTITION BY LIST (day);
CREATE INDEX ON log_lines (namespace, function, id);
"""
COMPILED_ARTIFACTS = """
CREATE TABLE compiled_artifacts (
    sha256 text NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    tag text NOT NULL,
    compiled text NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    PRIMARY KEY (sha256, tag)
);
CREATE INDEX ON compiled_artifacts (compiled);
"""
ARTIFACT_OWNERS = """
CREATE TABLE artifact_owners (
    sha256 text NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    namespace text NOT NULL,
    PRIMARY KEY (sha256, namespace)
);
INSERT INTO artifact_owners SELECT sha256, '*' FROM artifacts;
"""
"""What was kept before owners were noted is everybody's."""
MIGRATIONS = (FIRST_SCHEMA, COMPILED_ARTIFACTS, ARTIFACT_OWNERS)
"""What makes each version of the schema out of the one before. A version only adds to it, so the
release before goes on with it: beside the new one while that rolls out, or after a way back."""
LOCK = 0x70696C6F74
"""The advisory lock under which the schema and the days of the log are made."""

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 15.0
CONNECTIONS = 8


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that is lent again without a round trip to clean it.

    Whoever borrows one leaves nothing behind: locks and settings end with their transaction.
    """

    def get_reset_query(self) -> str:
        """Return nothing to run; an open transaction is rolled back all the same (asyncpg)."""
        return ""


class PostgresDatabase:
    """A pool of connections; close it when done."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._prepared = False
        self._opening = asyncio.Lock()
        self.losses = 0
        """How often tables were missing; who made some makes them again where this has changed."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection; raises UnavailableError where the database is away or fails."""
        try:
            pool = self._pool if self._pool and self._prepared else await self._open()
            async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
                yield connection
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError) as error:
            self._prepared, self.losses = False, self.losses + 1
            raise UnavailableError(f"PostgreSQL has lost its tables: {error}") from error
        except asyncpg.ReadOnlySQLTransactionError as error:
            if self._pool is not None:
                await self._pool.expire_connections()
            raise UnavailableError(f"PostgreSQL is a standby: {error}") from error
        except TimeoutError as error:
            # A server that went without a word answers on none of the connections that were open.
            if self._pool is not None:
                await self._pool.expire_connections()
            raise UnavailableError("PostgreSQL does not answer in time") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            said = str(error) or type(error).__name__
            raise UnavailableError(f"PostgreSQL does not answer: {said}") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection inside a transaction, which an error rolls back."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def close(self) -> None:
        """Close all connections, those too where nobody answers any longer."""
        if self._pool is not None:
            try:
                await self._pool.close()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                self._pool.terminate()

    async def _open(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=CONNECTIONS,
                    timeout=CONNECT_SECONDS,
                    command_timeout=COMMAND_SECONDS,
                    connection_class=_Connection,
                )
            if not self._prepared:
                await _prepare_schema(self._pool)
                self._prepared = True
            return self._pool


async def _prepare_schema(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        version = await _schema_version(connection)
        if version > len(MIGRATIONS) + 1:
            raise StateVersionError(
                f"the database has schema version {version} of a newer Pilotlight, "
                f"at most {len(MIGRATIONS) + 1} is expected"
            )
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            await connection.execute(statements)
            await connection.execute("INSERT INTO pilotlight_schema VALUES ($1)", number)


async def _schema_version(connection: asyncpg.Connection) -> int:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS pilotlight_schema (version integer NOT NULL)"
    )
    return int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM pilotlight_schema"))
