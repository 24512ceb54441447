"""While PostgreSQL is away, slow or full nothing is accepted that is not kept.

When it is back, be it empty, everything goes on by itself. Who waits for an answer of a warm
function is not concerned.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

import asyncpg
import pytest
from botocore.exceptions import ClientError

from pilotlight.storage.postgres.database import PostgresDatabase
from pilotlight_gateway.event_queue.postgres import PostgresEventQueue
from tests.gateway.events.ledger import Load, function_source, runs
from tests.support.gateway import GatewayHarness
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Postgres

DRAIN_SECONDS = 90.0
SLOW_SECONDS = 1.0
ANSWER_SECONDS = 2.0
ACCEPTED = 202


@pytest.fixture
def server() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def platform(server: Postgres, tmp_path: Path) -> Iterator[GatewayHarness]:
    database = PostgresDatabase(server.url)
    harness = GatewayHarness(tmp_path / "pods", events=PostgresEventQueue(database))
    yield harness
    harness.call(harness.events.close())
    harness.call(database.close())
    harness.close()


def refused(platform: GatewayHarness) -> tuple[str, float]:
    """Send an event that is not accepted; gives the error's code and how long it took."""
    began = time.monotonic()
    with pytest.raises(ClientError) as error:
        platform.client().invoke(FunctionName="ledger", InvocationType="Event", Payload=b"{}")
    return error.value.response["Error"]["Code"], time.monotonic() - began


def test_a_queue_that_is_away_loses_nothing(
    platform: GatewayHarness, server: Postgres, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    platform.create("ledger", function_source(ledger))
    accepted: set[str] = set()
    for _ in range(3):
        load = Load(platform.url)
        load.wait_for(20)
        server.stop()
        accepted |= load.stop()
        code, seconds = refused(platform)
        assert code == "ServiceUnavailableException"
        assert seconds < ANSWER_SECONDS
        answer = platform.client().invoke(FunctionName="ledger", Payload=b"{}")
        assert json.load(answer["Payload"]) is None  # who waits for an answer is not concerned
        server.start()
    deadline = time.monotonic() + DRAIN_SECONDS
    while missing := accepted - set(runs(ledger)):
        assert time.monotonic() < deadline, f"{len(missing)} accepted events never ran"
        time.sleep(0.1)
    while not (counts := platform.call(platform.events.counts())).done >= len(accepted):
        assert time.monotonic() < deadline, counts
        time.sleep(0.1)
    assert counts.conserved
    assert counts.dead == 0


FAULT = """
CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NULL; END $$;
CREATE TRIGGER fault BEFORE INSERT OR UPDATE ON events EXECUTE FUNCTION fault();
CREATE TRIGGER fault BEFORE INSERT ON log_lines EXECUTE FUNCTION fault();
"""


def run_sql(server: Postgres, statements: str) -> None:
    """Do something to the database behind the platform's back."""

    async def run() -> None:
        connection = await asyncpg.connect(server.url)
        await connection.execute(statements)
        await connection.close()

    asyncio.run(run())


def call(platform: GatewayHarness) -> float:
    """Call the function and wait for its answer; gives how long that took."""
    began = time.monotonic()
    answer = platform.client().invoke(FunctionName="ledger", Payload=b"{}")
    assert json.load(answer["Payload"]) is None
    return time.monotonic() - began


def accept(platform: GatewayHarness) -> str:
    """Send an event that is accepted; gives its request id."""
    answer = platform.client().invoke(FunctionName="ledger", InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == ACCEPTED
    request_id: str = answer["ResponseMetadata"]["RequestId"]
    return request_id


def until_run(ledger: Path, request_ids: set[str]) -> None:
    """Wait until events have run."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while not request_ids <= set(runs(ledger)):
        assert time.monotonic() < deadline, f"{request_ids} never ran"
        time.sleep(0.1)


def test_a_database_that_comes_back_empty_is_used_at_once(
    platform: GatewayHarness, server: Postgres, tmp_path: Path
) -> None:
    """As a trial database whose pod has moved: what it held is lost, what comes is not."""
    ledger = tmp_path / "ledger"
    platform.create("ledger", function_source(ledger))
    until_run(ledger, {accept(platform)})
    run_sql(server, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    call(platform)
    deadline = time.monotonic() + DRAIN_SECONDS
    accepted: str | None = None
    while accepted is None:  # one request may find out that the tables are gone
        assert time.monotonic() < deadline
        with contextlib.suppress(ClientError):
            accepted = accept(platform)
    until_run(ledger, {accepted})


def test_a_slow_database_slows_events_alone(
    platform: GatewayHarness, server: Postgres, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    platform.create("ledger", function_source(ledger))
    until_run(ledger, {accept(platform)})
    run_sql(server, FAULT.format(what=f"PERFORM pg_sleep({SLOW_SECONDS})"))
    began = time.monotonic()
    accepted = accept(platform)
    assert time.monotonic() - began >= SLOW_SECONDS  # no 202 before it is kept
    assert min(call(platform) for _ in range(5)) < SLOW_SECONDS / 2
    until_run(ledger, {accepted})


def test_a_full_database_accepts_nothing(
    platform: GatewayHarness, server: Postgres, tmp_path: Path
) -> None:
    """With PostgreSQL's own error for it (SQLSTATE 53100)."""
    ledger = tmp_path / "ledger"
    platform.create("ledger", function_source(ledger))
    until_run(ledger, {accept(platform)})
    run_sql(server, FAULT.format(what="RAISE EXCEPTION USING ERRCODE = 'disk_full'"))
    code, seconds = refused(platform)
    assert code == "ServiceUnavailableException"
    assert seconds < ANSWER_SECONDS
    call(platform)
    run_sql(server, "DROP FUNCTION fault CASCADE")
    until_run(ledger, {accept(platform)})
