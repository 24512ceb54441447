"""A database that comes back empty, or as a standby, needs nobody's hand."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import pytest

from pilotlight.errors import UnavailableError
from pilotlight.storage import LogLine, LogQuery
from pilotlight.storage.postgres import database as database_module
from pilotlight.storage.postgres.artifacts import PostgresArtifacts
from pilotlight.storage.postgres.database import PostgresDatabase
from pilotlight.storage.postgres.logs import PostgresLogs
from pilotlight_gateway.event_queue.postgres import PostgresEventQueue
from tests.support.events import event
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.support.postgres import Postgres

T = TypeVar("T")

PACKAGE = b"package"
SHA256 = hashlib.sha256(PACKAGE).hexdigest()
LINE = LogLine(1.0, "default", "f", "stream", "request", "said")


@pytest.fixture
def server() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


async def pieces() -> AsyncIterator[bytes]:
    yield PACKAGE


async def lose(url: str) -> None:
    """Take everything away, as from a trial database whose pod has moved."""
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()


async def trying_again(work: Callable[[], Awaitable[T]]) -> T:
    """Do something once more where it says that the database is away."""
    for _ in range(3):
        with suppress(UnavailableError):
            return await work()
    return await work()


async def test_tables_that_are_lost_are_made_again(server: Postgres) -> None:
    """By processes that go on, each store of theirs for itself."""
    mine, other = PostgresDatabase(server.url), PostgresDatabase(server.url)
    artifacts, logs, queue = PostgresArtifacts(mine), PostgresLogs(mine), PostgresEventQueue(mine)
    their_logs, theirs = PostgresLogs(other), PostgresArtifacts(other)
    await artifacts.put(SHA256, pieces())
    await logs.append([LINE])
    await their_logs.append([LINE])
    assert await queue.enqueue(event("1")) == [True]
    await lose(server.url)
    # The other process makes them first, and this one may find all but the day's partition.
    await trying_again(lambda: theirs.put(SHA256, pieces()))
    await trying_again(lambda: logs.append([LINE]))
    await trying_again(lambda: their_logs.append([LINE]))
    assert await trying_again(lambda: queue.enqueue(event("1"))) == [True]
    assert (await queue.counts()).conserved
    assert await artifacts.size(SHA256) == len(PACKAGE)
    assert len(await logs.query(LogQuery("default", "f"))) == 2
    await queue.close()
    await mine.close()
    await other.close()


async def test_an_incarnation_ends_with_its_tables_or_its_server(server: Postgres) -> None:
    database = PostgresDatabase(server.url)
    artifacts = PostgresArtifacts(database)
    seen = [await artifacts.incarnation(), await artifacts.incarnation()]
    await lose(server.url)
    seen.append(await trying_again(artifacts.incarnation))
    server.stop()
    server.start()
    seen.append(await trying_again(artifacts.incarnation))
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    await database.close()


async def test_a_backup_is_restored_beside_processes_that_go_on(server: Postgres) -> None:
    database = PostgresDatabase(server.url)
    artifacts, logs = PostgresArtifacts(database), PostgresLogs(database)
    queue = PostgresEventQueue(database)
    await artifacts.put(SHA256, pieces())
    await queue.enqueue(event("before"))
    dump = await asyncio.to_thread(server.back_up)
    incarnation = await artifacts.incarnation()
    await queue.enqueue(event("after"))
    await logs.append([LINE])
    await asyncio.to_thread(server.restore, dump)
    assert await trying_again(artifacts.incarnation) != incarnation
    assert await trying_again(lambda: artifacts.size(SHA256)) == len(PACKAGE)
    leases = await trying_again(lambda: queue.lease(10, 1.0, room=lambda _: 10))
    assert [one.event.id for one in leases] == ["before"]
    await trying_again(lambda: logs.append([LINE]))
    await queue.close()
    await database.close()


async def test_after_a_failover_the_promoted_server_is_found(server: Postgres) -> None:
    """With both named in the URL and `target_session_attrs`, as PostgreSQL's own clients do it."""
    standby = server.standby()
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
    database = PostgresDatabase(
        f"postgresql://pilotlight@{hosts}/postgres?target_session_attrs=read-write"
    )
    artifacts = PostgresArtifacts(database)
    await artifacts.put(SHA256, pieces())
    server.stop()
    with pytest.raises(UnavailableError):
        await artifacts.put(SHA256, pieces())
    standby.promote()
    await trying_again(lambda: artifacts.put(SHA256, pieces()))
    assert await artifacts.size(SHA256) == len(PACKAGE)
    await database.close()
    standby.stop()
    server.start()


class Relay:
    """A Service: connections go where it points when they are made."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._writers: list[asyncio.StreamWriter] = []
        self._silent: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def fall_silent(self) -> None:
        """Carry nothing more on what is open, as where a node went; what comes is carried."""
        self._silent.update(self._writers)

    async def close(self) -> None:
        """End everything."""
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.sleep(0.05)  # their tasks see the end of their streams

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers += [writer, there]
        await asyncio.gather(self._copy(reader, there), self._copy(there_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1 << 16):
            if writer not in self._silent:
                writer.write(piece)
        writer.close()


async def test_connections_to_a_standby_are_given_up(server: Postgres) -> None:
    """A Service that pointed there for a moment must not hold a gateway to it."""
    standby = server.standby()
    relay = Relay(standby.port)
    database = PostgresDatabase(f"postgresql://pilotlight@127.0.0.1:{await relay.start()}/postgres")
    artifacts = PostgresArtifacts(database)
    with pytest.raises(UnavailableError, match="read-only"):
        await artifacts.put(SHA256, pieces())
    relay.target = server.port
    await artifacts.put(SHA256, pieces())
    assert await artifacts.size(SHA256) == len(PACKAGE)
    await database.close()
    await relay.close()
    standby.stop()


async def test_a_server_that_went_without_a_word_costs_one_wait(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one for each connection that was open to it."""
    monkeypatch.setattr(database_module, "COMMAND_SECONDS", 0.5)
    monkeypatch.setattr(database_module, "CONNECT_SECONDS", 0.5)
    relay = Relay(server.port)
    database = PostgresDatabase(f"postgresql://pilotlight@127.0.0.1:{await relay.start()}/postgres")
    artifacts = PostgresArtifacts(database)
    await asyncio.gather(*(artifacts.incarnation() for _ in range(4)))
    relay.fall_silent()
    with pytest.raises(UnavailableError, match="in time"):
        await artifacts.put(SHA256, pieces())
    assert await artifacts.put(SHA256, pieces()) == len(PACKAGE)
    await database.close()
    await relay.close()
