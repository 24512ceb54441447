"""Generic pods: started before anyone asks, handed out once, refilled without delaying a demand."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StartFailedError
from pilotlight_autoscaler.pools import PoolKey, PoolSpec

from .conftest import OTHER, REVISION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .conftest import Stage

PYTHON = PoolKey("default", "python3.13")


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.fixture
async def warm(stage: Stage) -> AsyncIterator[Stage]:
    """A stage whose pool of three is filled."""
    stage.pool = PoolSpec(minimum=3, maximum=5)
    stage.table = stage.capacity()
    running = [
        asyncio.create_task(stage.pools.run()),
        asyncio.create_task(stage.pools.follow(stage.resources)),
    ]
    await settled()
    yield stage
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_function_that_comes_fills_the_pool(warm: Stage) -> None:
    assert len(warm.pools.pods()) == 3
    assert all("generic" in pod for pod in warm.pools.pods())


async def test_a_claim_takes_a_generic_pod_and_the_pool_is_refilled(warm: Stage) -> None:
    before = warm.pools.pods()
    lease = await warm.table.claim(REVISION, gateway="g", seconds=5)
    await settled()
    assert lease.pod in before
    assert lease.pod not in warm.pools.pods()
    assert warm.compute.assigned[lease.pod].revision == REVISION
    assert len(warm.pools.pods()) == 3


async def test_no_generic_pod_is_handed_out_twice(warm: Stage) -> None:
    claims = [
        warm.table.claim(revision, gateway="g", seconds=5)
        for revision in (REVISION, OTHER) for _ in range(5)
    ]  # fmt: skip
    leases = await asyncio.gather(*claims)
    assert len({lease.pod for lease in leases}) == 10
    assert not {lease.pod for lease in leases} & warm.pools.pods()


async def test_a_generic_pod_that_fails_half_way_is_discarded(warm: Stage) -> None:
    warm.agents.fail_next = 1
    before = warm.pools.pods()
    lease = await warm.table.claim(REVISION, gateway="g", seconds=5)
    await settled()
    assert lease.pod not in before
    assert len(before & warm.compute.pods) == 2


async def test_two_failures_are_told(warm: Stage) -> None:
    warm.agents.failing = True
    with pytest.raises(StartFailedError):
        await warm.table.claim(REVISION, gateway="g", seconds=5)


async def test_demand_goes_first(warm: Stage) -> None:
    for _ in range(3):
        await warm.table.claim(REVISION, gateway="g", seconds=5)
        warm.compute.gate.clear()
    await settled()
    started = warm.compute.started
    with warm.pools.demand():
        warm.compute.gate.set()
        await settled()
        in_lane = warm.compute.started
        warm.pools.take(PYTHON)
        await settled()
        assert warm.compute.started == in_lane, "nothing is refilled while somebody waits"
    await settled()
    assert warm.compute.started > started
    assert len(warm.pools.pods()) >= 3


async def test_a_lost_generic_pod_is_replaced(warm: Stage) -> None:
    lost = min(warm.pools.pods())
    await warm.compute.lose(lost)
    await settled()
    assert lost not in warm.pools.pods()
    assert len(warm.pools.pods()) == 3


async def test_generic_pods_are_no_orphans(warm: Stage) -> None:
    await warm.table.stop_orphans()
    await settled()
    assert len(warm.pools.pods()) == 3


async def test_closing_leaves_nothing(warm: Stage) -> None:
    await warm.pools.close()
    await settled()
    assert not warm.compute.pods
