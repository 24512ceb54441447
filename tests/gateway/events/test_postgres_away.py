"""While PostgreSQL is away nothing is accepted; when it is back everything goes on by itself."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

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
ANSWER_SECONDS = 2.0


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
