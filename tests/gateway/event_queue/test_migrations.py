"""The tables go forward and back one version, and keep what both versions know."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StateVersionError
from pilotlight.storage.postgres.database import PostgresDatabase
from pilotlight.storage.sqlite.database import SqliteDatabase
from pilotlight_gateway.event_queue import (
    migrations,
    postgres_statements,
    sqlite_statements,
)
from pilotlight_gateway.event_queue.interface import Counts
from tests.support.events import event, postgres_queue, sqlite_queue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres

BEFORE = migrations.NEWEST - 1


async def _migrate_file(path: Path, wanted: int) -> None:
    database = SqliteDatabase(path, "")
    await database.run(partial(sqlite_statements.migrate, wanted=wanted))
    database.close()


async def test_a_file_goes_back_a_version_and_forward_again(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    async with sqlite_queue(path) as queue:
        await queue.enqueue(event("a"))
    await _migrate_file(path, BEFORE)
    await _migrate_file(path, migrations.NEWEST)
    async with sqlite_queue(path) as queue:
        await queue.enqueue(event("b", dedup_key="k"))
        assert await queue.counts() == Counts(enqueued=2, waiting=2)


async def test_a_database_goes_back_a_version_and_forward_again(server: Postgres) -> None:
    async with postgres_queue(server.url) as queue:
        await queue.enqueue(event("a"))
        database = PostgresDatabase(server.url)
        for wanted in (BEFORE, migrations.NEWEST):
            async with database.transaction() as connection:
                await postgres_statements.migrate(connection, wanted)
        await database.close()
        await queue.enqueue(event("b", dedup_key="k"))
        assert await queue.counts() == Counts(enqueued=2, waiting=2)


def test_every_step_has_a_way_back() -> None:
    for dialect in ("sqlite", "postgres"):
        for version in range(migrations.NEWEST):
            assert migrations.steps(dialect, version, version + 1)
            assert migrations.steps(dialect, version + 1, version)


def test_one_version_ahead_is_served_and_more_is_refused() -> None:
    assert migrations.steps("sqlite", migrations.NEWEST + 1) == []
    with pytest.raises(StateVersionError, match="newer Pilotlight"):
        migrations.steps("sqlite", migrations.NEWEST + 2)
