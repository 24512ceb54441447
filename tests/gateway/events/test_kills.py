"""Nothing that was accepted is lost, however often the platform is killed under load."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.gateway.events.ledger import Load, function_source, runs
from tests.support.dev_process import DevProcess
from tests.support.events import sqlite_queue
from tests.support.forks import Forks
from tests.support.platform import write_function

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pilotlight_gateway.event_queue.interface import Counts

KILLS = int(os.environ.get("PILOTLIGHT_KILLS", "20"))
LEASED_AGAIN = re.compile(r"event is leased again.*request_id['\"=: ]+(?P<id>[0-9a-f-]{36})")
DRAIN_SECONDS = 60.0


async def counted(state: Path) -> Counts:
    """Ask the queue of a platform that does not run."""
    async with sqlite_queue(state / "events.sqlite") as queue:
        return await queue.counts()


def leased_again(platform: DevProcess) -> set[str]:
    """Return the events that a platform says it leased again."""
    found = (LEASED_AGAIN.search(line) for line in platform.lines)
    return {match["id"] for match in found if match}


def wait_for_runs(ledger: Path, accepted: set[str]) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while missing := accepted - set(runs(ledger)):
        assert time.monotonic() < deadline, f"{len(missing)} accepted events never ran"
        time.sleep(0.1)


@pytest.fixture
def forks() -> Iterator[Forks]:
    """What starts a platform in no time."""
    found = Forks()
    yield found
    found.close()


@pytest.mark.timeout(60 + 15 * KILLS)
async def test_no_accepted_event_is_lost_when_the_platform_is_killed(
    tmp_path: Path, forks: Forks
) -> None:
    ledger, state, folder = tmp_path / "ledger", tmp_path / "state", tmp_path / "function"
    write_function(folder, "ledger", function_source(ledger))
    accepted: set[str] = set()
    again: set[str] = set()
    for kill in range(KILLS + 1):
        platform = DevProcess(folder, state=state, forks=forks)
        load = Load(platform.endpoint)
        load.wait_for(random.Random(kill).randint(1, 60))
        if kill < KILLS:
            platform.kill()
            accepted |= load.stop()
            assert (await counted(state)).conserved
        else:
            accepted |= load.stop()
            wait_for_runs(ledger, accepted)
            assert platform.stop() == 0
        again |= leased_again(platform)
    counts = await counted(state)
    assert counts.conserved
    assert (counts.waiting, counts.in_flight, counts.dead) == (0, 0, 0)
    assert counts.done >= len(accepted)
    twice = {request_id for request_id, count in Counter(runs(ledger)).items() if count > 1}
    assert twice <= again
