"""More is asked for than there is room for: bounds hold, nothing is lost, it ends by itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.config import Config

from tests.support.cluster import wait_until
from tests.support.load import Load
from tests.support.weather import (
    SOURCE,
    Watch,
    accept,
    call,
    insist,
    is_answered,
    little_room,
    most_made,
    restarts,
)

if TYPE_CHECKING:
    from tests.support.cluster import Installation

ROOM = 20
"""Pods of the account."""
COLD = 25
"""Functions that nobody has called."""
CALLERS = 8
"""Of each of them, all at once."""
GATEWAYS = 2
STORM_SECONDS = 20
RECOVERY_SECONDS = 30
LEFT = "SELECT count(*) FROM events WHERE function = 'sheltered'"
DONE = "SELECT coalesce(sum(done), 0) FROM event_lanes WHERE function = 'sheltered'"


def test_a_storm_ends_by_itself(platform: Installation) -> None:
    """200 calls of 25 cold functions where 20 pods may run, and their callers try again at once."""
    names = [f"stormy-{number}" for number in range(COLD)]
    for name in (*names, "sheltered", "after-the-storm"):
        platform.apply(name, SOURCE, timeout=20)
    for name in (*names, "sheltered", "after-the-storm"):
        platform.wait_ready(name)

    def warm() -> bool:
        platform.invoke("sheltered", {})  # a new client, so that the other gateway may be chosen
        return len(platform.pods("sheltered")) >= GATEWAYS

    wait_until(warm, "both gateways have an environment")
    client = platform.client(
        config=Config(
            retries={"total_max_attempts": 1},
            read_timeout=60,
            max_pool_connections=COLD * CALLERS + 50,
        )
    )
    leader, before = platform.leader(), restarts(platform)
    with (
        little_room(platform, ROOM),
        Load(lambda number: call(client, "sheltered", number), per_second=5) as calls,
        Load(lambda number: accept(client, "sheltered", number), per_second=10) as events,
        ThreadPoolExecutor(COLD * CALLERS) as callers,
    ):
        end = time.monotonic() + STORM_SECONDS
        with Watch(platform) as watch:
            stormy = [callers.submit(insist, client, name, end) for name in names * CALLERS]
            answers = [one.result() for one in stormy]
        wait_until(
            lambda: is_answered(platform, "after-the-storm"),
            "a first call is answered",
            RECOVERY_SECONDS,
        )
    assert sum(answers) > COLD, "what there was room for was served"
    assert watch.most_starting <= most_made(), "of refills and demand together"
    # What is called all the time keeps its environments, whoever wants their room.
    assert not calls.failed, calls.failed[:3]
    assert not events.failed, events.failed[:3]
    assert platform.leader() == leader
    assert restarts(platform) == before
    wait_until(lambda: int(platform.sql(LEFT)) == 0, "every event has ended")
    assert int(platform.sql(DONE)) == len(events.calls)
