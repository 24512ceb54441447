"""Artifacts and log lines in a real PostgreSQL, also while it is away."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import (
    ArtifactMismatchError,
    NotFoundError,
    StateVersionError,
    UnavailableError,
)
from pilotlight.storage import LogLine, LogQuery
from pilotlight.storage.postgres.artifacts import CHUNK, PostgresArtifacts
from pilotlight.storage.postgres.database import MIGRATIONS, PostgresDatabase
from pilotlight.storage.postgres.logs import PostgresLogs
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.postgres import Postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
async def database(server: Postgres) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(server.url)
    yield database
    async with database.connection() as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await database.close()


@pytest.fixture
def artifacts(database: PostgresDatabase) -> PostgresArtifacts:
    return PostgresArtifacts(database)


async def _stream(content: bytes, piece: int = 300_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), piece):
        yield content[start : start + piece]


async def _put(artifacts: PostgresArtifacts, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    assert await artifacts.put(sha256, _stream(content)) == len(content)
    return sha256


async def _read(artifacts: PostgresArtifacts, sha256: str) -> bytes:
    found = await artifacts.read(sha256)
    return b"".join([chunk async for chunk in found.content])


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
async def test_an_artifact_comes_back_as_it_was(artifacts: PostgresArtifacts, size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    sha256 = await _put(artifacts, content)
    assert await artifacts.size(sha256) == size
    assert (await artifacts.read(sha256)).size == size
    assert await _read(artifacts, sha256) == content


async def test_an_artifact_may_come_twice_at_once(artifacts: PostgresArtifacts) -> None:
    content = b"same" * 1_000_000
    first, second = await asyncio.gather(_put(artifacts, content), _put(artifacts, content))
    assert first == second
    assert await _read(artifacts, first) == content


async def test_a_mismatch_keeps_nothing(
    artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    with pytest.raises(ArtifactMismatchError, match="was announced"):
        await artifacts.put("0" * 64, _stream(b"other"))
    assert await artifacts.size("0" * 64) is None
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM artifact_chunks") == 0


async def test_a_package_belongs_to_who_brought_its_bytes(
    artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    """To know its name is not to have it; who loses it with all others has it no more."""
    sha256 = await _put(artifacts, b"mine")
    await artifacts.note_owner(sha256, "a")
    await artifacts.note_owner(sha256, "a")
    assert await artifacts.belongs(sha256, "a")
    assert not await artifacts.belongs(sha256, "b")
    with pytest.raises(NotFoundError):
        await artifacts.note_owner("0" * 64, "a")
    async with database.connection() as connection:
        await connection.execute("UPDATE artifacts SET used_at = now() - interval '2 days'")
    assert await artifacts.collect(set(), unused_seconds=86_400) == 1
    assert not await artifacts.belongs(sha256, "a")


async def test_an_unknown_artifact_is_not_found(artifacts: PostgresArtifacts) -> None:
    with pytest.raises(NotFoundError):
        await artifacts.read("0" * 64)


async def test_only_what_is_unused_and_old_is_collected(
    artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    used, old, young = [await _put(artifacts, content) for content in (b"u", b"o", b"y")]
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE artifacts SET used_at = now() - interval '2 days' WHERE sha256 <> $1", young
        )
    assert await artifacts.collect({used}, unused_seconds=86_400) == 1
    sizes = [await artifacts.size(sha256) for sha256 in (used, old, young)]
    assert sizes == [1, None, 1]


async def test_reading_counts_as_use(
    artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    sha256 = await _put(artifacts, b"x")
    async with database.connection() as connection:
        await connection.execute("UPDATE artifacts SET used_at = now() - interval '2 days'")
    assert await _read(artifacts, sha256) == b"x"
    assert await artifacts.collect(set(), unused_seconds=86_400) == 0


async def test_what_was_compiled_is_kept_with_its_package(
    artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    """And is no package of its own: it goes when the package has gone."""
    used, old, plain = [await _put(artifacts, content) for content in (b"u", b"o", b"p")]
    of_used, of_old = [await _put(artifacts, content) for content in (b"cu", b"co")]
    for package, compiled in ((used, of_used), (old, old), (old, of_old), (plain, plain)):
        await artifacts.note_compiled(package, "cpython-313", compiled)
    async with database.connection() as connection:
        await connection.execute("UPDATE artifacts SET used_at = now() - interval '2 days'")
    assert await artifacts.compiled(used, "cpython-313") == of_used
    assert await artifacts.compiled(used, "cpython-314") is None
    assert await artifacts.collect({used}, unused_seconds=86_400) == 2
    assert await artifacts.compiled(old, "cpython-313") is None
    assert await artifacts.collect({used}, unused_seconds=86_400) == 1
    sizes = [await artifacts.size(sha256) for sha256 in (used, of_used, old, of_old, plain)]
    assert sizes == [1, 2, None, None, None]


async def test_to_read_what_was_compiled_is_to_use_its_package(
    artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    package, compiled = [await _put(artifacts, content) for content in (b"p", b"c")]
    await artifacts.note_compiled(package, "cpython-313", compiled)
    async with database.connection() as connection:
        await connection.execute("UPDATE artifacts SET used_at = now() - interval '2 days'")
    assert await _read(artifacts, compiled) == b"c"
    assert await artifacts.collect(set(), unused_seconds=86_400) == 0


async def test_nothing_is_noted_of_packages_that_are_gone(artifacts: PostgresArtifacts) -> None:
    there = await _put(artifacts, b"x")
    for package, compiled in (("0" * 64, there), (there, "0" * 64)):
        with pytest.raises(NotFoundError):
            await artifacts.note_compiled(package, "cpython-313", compiled)


def _line(message: str, request_id: str = "r", time: float = 1.0) -> LogLine:
    return LogLine(
        time=time,
        namespace="team",
        function="hello",
        stream="s",
        request_id=request_id,
        message=message,
    )


def _messages(lines: list[LogLine]) -> list[str]:
    return [line.message for line in lines]


async def test_lines_come_back_oldest_first(database: PostgresDatabase) -> None:
    logs = PostgresLogs(database)
    await logs.append([_line("a"), _line("b", "other"), _line("c\0d", time=9.0)])
    assert _messages(await logs.query(LogQuery("team", "hello"))) == [
        "a",
        "b",
        "c\N{REPLACEMENT CHARACTER}d",
    ]
    newest = await logs.query(LogQuery("team", "hello", limit=2))
    assert _messages(newest)[0] == "b"
    assert _messages(await logs.query(LogQuery("team", "hello", request_id="other"))) == ["b"]
    assert len(await logs.query(LogQuery("team", "hello", since=5.0))) == 1
    first = (await logs.query(LogQuery("team", "hello")))[0].id
    after = await logs.query(LogQuery("team", "hello", after_id=first, limit=1))
    assert _messages(after) == ["b"]
    assert await logs.query(LogQuery("team", "nobody")) == []


async def test_a_stream_is_deleted_and_the_others_stay(database: PostgresDatabase) -> None:
    """Of the function, before the time, of that stream if one is named."""
    logs = PostgresLogs(database)
    await logs.append([LogLine(1.0, "team", "hello", name, "r", name) for name in ("a", "b", "")])
    assert await logs.delete("team", "hello", until=1.0, stream="a") == 0
    assert await logs.delete("team", "hello", until=2.0, stream="a") == 1
    assert [one.name for one in await logs.streams("team", "hello")] == ["", "b"]
    assert await logs.delete("team", "hello", until=2.0) == 2


async def test_old_days_go(database: PostgresDatabase) -> None:
    days = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 4)]
    for day in days:
        logs = PostgresLogs(database, days=3, today=partial(date.fromisoformat, str(day)))
        await logs.append([_line(str(day))])
    kept = await PostgresLogs(database).query(LogQuery("team", "hello"))
    assert _messages(kept) == ["2026-01-02", "2026-01-04"]


async def test_a_chatty_function_pushes_out_its_own_lines_alone(
    database: PostgresDatabase,
) -> None:
    """Its log says how many."""
    day = date(2026, 1, 1)
    logs = PostgresLogs(database, largest=200_000, today=lambda: day)
    quiet = LogLine(1.0, "team", "quiet", "s", "r", "hello")
    await logs.append([quiet])
    for number in range(40):
        await logs.append([_line(f"{number} " + secrets.token_hex(10_000))])
    assert _messages(await logs.query(LogQuery("team", "quiet"))) == ["hello"]
    kept = _messages(await logs.query(LogQuery("team", "hello")))
    whole = [message for message in kept if "dropped" not in message]
    assert 0 < len(whole) < 20
    assert whole[-1].startswith("39 ")
    assert any("lines of" in message for message in kept)


async def test_large_days_go_but_today(database: PostgresDatabase) -> None:
    for day in (date(2026, 1, 1), date(2026, 1, 2)):
        logs = PostgresLogs(database, largest=1, today=partial(date.fromisoformat, str(day)))
        await logs.append([_line(str(day))])
    kept = await logs.query(LogQuery("team", "hello"))
    assert _messages(kept) == ["2026-01-02"]


async def test_an_older_schema_is_brought_up_to_date(
    server: Postgres, artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    """With what is in it, which is everybody's since its owners were not noted."""
    sha256 = await _put(artifacts, b"x")
    async with database.connection() as connection:
        await connection.execute("DROP TABLE compiled_artifacts, artifact_owners")
        await connection.execute("DELETE FROM pilotlight_schema WHERE version > 1")
    newer = PostgresDatabase(server.url)
    assert await _read(PostgresArtifacts(newer), sha256) == b"x"
    assert await PostgresArtifacts(newer).belongs(sha256, "anybody")
    await newer.close()


async def test_the_release_before_goes_on_with_the_schema_of_the_next(
    server: Postgres, artifacts: PostgresArtifacts, database: PostgresDatabase
) -> None:
    """Beside it while it rolls out, and after `helm rollback`."""
    sha256 = await _put(artifacts, b"x")
    async with database.connection() as connection:
        await connection.execute("INSERT INTO pilotlight_schema VALUES ($1)", len(MIGRATIONS) + 1)
    other = PostgresDatabase(server.url)
    assert await _read(PostgresArtifacts(other), sha256) == b"x"
    await other.close()


async def test_a_newer_schema_is_refused(server: Postgres, database: PostgresDatabase) -> None:
    async with database.connection() as connection:
        await connection.execute("UPDATE pilotlight_schema SET version = 99")
    other = PostgresDatabase(server.url)
    with pytest.raises(StateVersionError, match="99"):
        await PostgresArtifacts(other).size("0" * 64)
    await other.close()


async def test_it_is_unavailable_while_the_server_is_away(
    server: Postgres, artifacts: PostgresArtifacts
) -> None:
    sha256 = await _put(artifacts, b"kept")
    server.stop()
    with pytest.raises(UnavailableError, match="PostgreSQL does not answer"):
        await artifacts.size(sha256)
    server.start()
    assert await artifacts.size(sha256) == 4
