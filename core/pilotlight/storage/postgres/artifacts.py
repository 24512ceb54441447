"""Deployment packages in PostgreSQL, in chunks: `ArtifactStore` for a cluster without a bucket.

An upload's chunks become an artifact in the transaction that checked their hash, so a half-way
upload is never seen; a download reads chunk by chunk and holds no connection between them.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

import asyncpg

from pilotlight.errors import ArtifactMismatchError, NotFoundError
from pilotlight.storage.interfaces import Artifact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from .database import PostgresDatabase

__all__ = ["PostgresArtifacts"]

CHUNK = 1024 * 1024
"""Bytes of a row; larger ones cost memory on both sides."""
TOUCH_SECONDS = 3600
"""How stale `used_at` may be: a read is not worth a write each time."""

_ADD_CHUNK = "INSERT INTO artifact_chunks (upload, number, content) VALUES ($1, $2, $3)"
_ADD_ARTIFACT = "INSERT INTO artifacts (sha256, upload, size) VALUES ($1, $2, $3)"
_TOUCH = """
UPDATE artifacts SET used_at = now()
WHERE sha256 = $1 AND used_at < now() - make_interval(secs => $2)
"""
_FIND = """
WITH touched AS (
    UPDATE artifacts SET used_at = now()
    WHERE (sha256 = $1 OR sha256 IN (SELECT sha256 FROM compiled_artifacts WHERE compiled = $1))
    AND used_at < now() - make_interval(secs => $2)
)
SELECT upload, size, content FROM artifacts
LEFT JOIN artifact_chunks USING (upload)
WHERE sha256 = $1 AND coalesce(number, 0) = 0
"""
"""With the first chunk: most packages have no other, and somebody's first call waits for it."""
_NOTE_COMPILED = """
INSERT INTO compiled_artifacts (sha256, tag, compiled) VALUES ($1, $2, $3)
ON CONFLICT (sha256, tag) DO UPDATE SET compiled = excluded.compiled
"""
_NOTE_OWNER = "INSERT INTO artifact_owners VALUES ($1, $2) ON CONFLICT DO NOTHING"
_BELONGS = "SELECT 1 FROM artifact_owners WHERE sha256 = $1 AND namespace IN ($2, '*')"
_INCARNATION = "SELECT pg_postmaster_start_time()::text || ' ' || 'artifacts'::regclass::oid"
_COLLECT = """
DELETE FROM artifacts
WHERE sha256 <> ALL ($1::text[]) AND used_at < now() - make_interval(secs => $2)
AND NOT EXISTS (
    SELECT FROM compiled_artifacts made
    WHERE made.compiled = artifacts.sha256 AND made.sha256 <> made.compiled
)
"""


class PostgresArtifacts:
    """Artifacts in a database."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def put(self, sha256: str, content: AsyncIterator[bytes]) -> int:
        """Keep an artifact and give its size; raises ArtifactMismatchError, keeping nothing."""
        upload = uuid.uuid4()
        async with self._database.transaction() as connection:
            digest, size = await _add_chunks(connection, upload, content)
            if digest != sha256:
                raise ArtifactMismatchError(
                    f"the package has sha256 {digest}, {sha256} was announced"
                )
            # Two uploads of the same bytes wait for each other here, for a moment only.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", sha256)
            if await connection.fetchval("SELECT 1 FROM artifacts WHERE sha256 = $1", sha256):
                await connection.execute("DELETE FROM artifact_chunks WHERE upload = $1", upload)
                await connection.execute(_TOUCH, sha256, 0)
            else:
                await connection.execute(_ADD_ARTIFACT, sha256, upload, size)
        return size

    async def size(self, sha256: str) -> int | None:
        """Return an artifact's size in bytes, or None where it is not there."""
        async with self._database.connection() as connection:
            size: int | None = await connection.fetchval(
                "SELECT size FROM artifacts WHERE sha256 = $1", sha256
            )
        return size

    async def read(self, sha256: str) -> Artifact:
        """Begin to read an artifact, in one round trip; raises NotFoundError."""
        async with self._database.connection() as connection:
            found = await connection.fetchrow(_FIND, sha256, TOUCH_SECONDS)
        if found is None:
            raise NotFoundError(f"no artifact {sha256}")
        return Artifact(found["size"], self._content(sha256, found))

    async def _content(self, sha256: str, found: asyncpg.Record) -> AsyncIterator[bytes]:
        if found["size"]:
            yield found["content"]
        for number in range(1, -(-found["size"] // CHUNK)):
            yield await self._chunk(sha256, found["upload"], number)

    async def note_owner(self, sha256: str, namespace: str) -> None:
        """Note that an account brought an artifact's bytes; raises NotFoundError."""
        async with self._database.connection() as connection:
            try:
                await connection.execute(_NOTE_OWNER, sha256, namespace)
            except asyncpg.ForeignKeyViolationError as error:
                raise NotFoundError(f"no artifact {sha256}") from error

    async def belongs(self, sha256: str, namespace: str) -> bool:
        """Whether an artifact is there, and an account brought its bytes."""
        async with self._database.connection() as connection:
            return await connection.fetchval(_BELONGS, sha256, namespace) is not None

    async def compiled(self, sha256: str, tag: str) -> str | None:
        """Name the artifact that stands for a package where an interpreter runs it."""
        async with self._database.connection() as connection:
            compiled: str | None = await connection.fetchval(
                "SELECT compiled FROM compiled_artifacts WHERE sha256 = $1 AND tag = $2",
                sha256,
                tag,
            )
        return compiled

    async def note_compiled(self, sha256: str, tag: str, compiled: str) -> None:
        """Keep that name, and the artifact as long as the package; raises NotFoundError."""
        async with self._database.connection() as connection:
            try:
                await connection.execute(_NOTE_COMPILED, sha256, tag, compiled)
            except asyncpg.ForeignKeyViolationError as error:
                raise NotFoundError(f"no artifact {sha256}, or none {compiled}") from error

    async def incarnation(self) -> str:
        """Say which server, and which of its tables, this is."""
        async with self._database.connection() as connection:
            incarnation: str = await connection.fetchval(_INCARNATION)
        return incarnation

    async def collect(self, referenced: Collection[str], *, unused_seconds: float) -> int:
        """Delete what nobody refers to and nobody wrote or read for that long; give how many."""
        async with self._database.connection() as connection:
            done = await connection.execute(_COLLECT, list(referenced), unused_seconds)
        return int(done.removeprefix("DELETE "))

    async def _chunk(self, sha256: str, upload: uuid.UUID, number: int) -> bytes:
        async with self._database.connection() as connection:
            content: bytes | None = await connection.fetchval(
                "SELECT content FROM artifact_chunks WHERE upload = $1 AND number = $2",
                upload,
                number,
            )
        if content is None:
            raise NotFoundError(f"artifact {sha256} was collected while it was read")
        return content


async def _add_chunks(
    connection: asyncpg.Connection, upload: uuid.UUID, content: AsyncIterator[bytes]
) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    async for chunk in _of_equal_size(content):
        digest.update(chunk)
        await connection.execute(_ADD_CHUNK, upload, size // CHUNK, chunk)
        size += len(chunk)
    return digest.hexdigest(), size


async def _of_equal_size(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut a stream into chunks of `CHUNK` bytes, but for the last."""
    held = bytearray()
    async for piece in content:
        held += piece
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
    if held:
        yield bytes(held)
