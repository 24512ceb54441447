"""Quiet: what has time waits for starts to be over, and not for ever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight_autoscaler.quiet import (
    CLOCK_STEP,
    LONGEST_DEMAND_SECONDS,
    LONGEST_SECONDS,
    PAUSE_SECONDS,
    Quiet,
)
from tests.autoscaler.conftest import REVISION
from tests.autoscaler.pools.test_keeper import filled

if TYPE_CHECKING:
    from tests.autoscaler.conftest import Stage

pytestmark = pytest.mark.looptime


async def waited(quiet: Quiet) -> float:
    """Return how long a wait for quiet takes."""
    began = asyncio.get_running_loop().time()
    await quiet.wait()
    return asyncio.get_running_loop().time() - began


async def test_there_is_calm_before_anything_starts() -> None:
    assert await waited(Quiet()) == 0


async def test_calm_comes_a_while_after_the_last_start() -> None:
    quiet = Quiet()
    with quiet.start():
        waiting = asyncio.create_task(waited(quiet))
        await asyncio.sleep(0.5)
        with quiet.start():
            await asyncio.sleep(0.1)
    took = await waiting
    assert 0.6 + PAUSE_SECONDS <= took <= 0.6 + 2 * PAUSE_SECONDS + CLOCK_STEP


async def test_starts_without_end_are_not_waited_for() -> None:
    quiet = Quiet()
    with quiet.start():
        assert LONGEST_SECONDS <= await waited(quiet) <= LONGEST_SECONDS + PAUSE_SECONDS


async def test_who_waits_for_a_pod_of_his_own_has_the_node_for_himself() -> None:
    """But not for ever."""
    quiet = Quiet()
    with quiet.demand():
        endless = asyncio.create_task(waited(quiet))
        with quiet.demand():
            await asyncio.sleep(5)
        assert LONGEST_DEMAND_SECONDS <= await endless <= LONGEST_DEMAND_SECONDS + 2 * PAUSE_SECONDS
    with quiet.demand():
        soon = asyncio.create_task(waited(quiet))
        await asyncio.sleep(5)
    assert 5 <= await soon <= 5 + 2 * PAUSE_SECONDS


async def test_whose_a_pod_is_is_written_down_once_nothing_starts(stage: Stage) -> None:
    """A label is a write that every controller of the cluster reads: it waits for the answers."""
    warm = await filled(stage)
    lease = await warm.table.claim(REVISION, gateway="g", seconds=5)
    await asyncio.sleep(0.9 * PAUSE_SECONDS)
    assert lease.pod not in warm.compute.assigned
    await asyncio.sleep(PAUSE_SECONDS)
    assert warm.compute.assigned[lease.pod].revision == REVISION


async def test_refills_wait_as_long_as_starts_stand_in_line(stage: Stage) -> None:
    warm = await filled(stage)
    started = warm.compute.started
    warm.agents.gate.clear()
    claim = asyncio.create_task(warm.table.claim(REVISION, gateway="g", seconds=5))
    await asyncio.sleep(2 * PAUSE_SECONDS)
    assert warm.compute.started == started, "however long the start takes"
    warm.agents.gate.set()
    await claim
    await asyncio.sleep(2 * PAUSE_SECONDS)
    assert warm.compute.started == started + 1
