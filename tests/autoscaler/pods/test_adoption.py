"""What an earlier leader left: pods that wait, and those that it had begun to make, are used."""

from __future__ import annotations

import asyncio

import pytest

from pilotlight.errors import ThrottledError
from pilotlight_autoscaler.creations import PER_NODE
from pilotlight_autoscaler.pods.starts import MADE_SECONDS
from pilotlight_autoscaler.pools.decide import PoolKey, PoolSpec
from tests.autoscaler.conftest import OTHER, REVISION, Stage

pytestmark = pytest.mark.looptime
PYTHON = PoolKey("default", "python3.13")


async def abandoned(stage: Stage, count: int) -> None:
    """Have a leader begin so many pods of a revision and end; they go on being made."""
    stage.compute.gate.clear()
    before = stage.capacity(generation=1)
    claims = [
        asyncio.create_task(before.claim(REVISION, gateway="g", seconds=60)) for _ in range(count)
    ]
    await asyncio.sleep(1)
    for claim in claims:
        claim.cancel()
    await asyncio.gather(*claims, return_exceptions=True)


async def test_pods_that_are_being_made_are_waited_for_and_used(stage: Stage) -> None:
    """Nothing is made anew for claims that are told again to the next leader."""
    await abandoned(stage, 4)
    leader = stage.capacity(generation=2)
    await leader.adopt()
    stage.compute.gate.set()
    await asyncio.sleep(1)
    leases = [await leader.claim(REVISION, gateway="g", seconds=30) for _ in range(4)]
    assert len({lease.pod for lease in leases}) == 4
    assert stage.compute.started == 4
    await leader.stop_orphans()
    assert {lease.pod for lease in leases} <= stage.compute.pods


async def test_pods_that_are_being_made_keep_the_node_busy(stage: Stage) -> None:
    """They count as ours: no more are made at once because the leader changed."""
    await abandoned(stage, PER_NODE - 1)
    leader = stage.capacity(generation=2)
    await leader.adopt()
    claims = [
        asyncio.create_task(leader.claim(OTHER, gateway="g", seconds=60)) for _ in range(PER_NODE)
    ]
    await asyncio.sleep(1)
    assert stage.compute.started == PER_NODE
    stage.compute.gate.set()
    await asyncio.gather(*claims)


async def test_a_pod_that_comes_while_a_claim_waits_for_its_turn_is_taken(stage: Stage) -> None:
    await abandoned(stage, PER_NODE - 1)
    leader = stage.capacity(generation=2)
    await leader.adopt()
    claims = [
        asyncio.create_task(leader.claim(REVISION, gateway="g", seconds=60))
        for _ in range(PER_NODE)
    ]
    await asyncio.sleep(1)
    stage.compute.gate.set()
    await asyncio.gather(*claims)
    assert stage.compute.started == PER_NODE, "one more than there were"


async def test_what_nobody_claims_goes(stage: Stage) -> None:
    """A pod that was made for a revision waits for half a minute, and is no orphan till then."""
    await abandoned(stage, 2)
    stage.compute.gate.set()
    leader = stage.capacity(generation=2)
    await leader.adopt()
    await asyncio.sleep(1)
    await leader.stop_orphans()
    await asyncio.sleep(1)
    assert len(stage.compute.pods) == 2
    await asyncio.sleep(MADE_SECONDS + 1)
    assert not stage.compute.pods


async def test_generic_pods_are_kept_where_the_runtime_is_made_as_before(stage: Stage) -> None:
    """Else they serve until there is one of the new kind in their place."""
    stage.pool, stage.compute.recipe = PoolSpec(minimum=3, maximum=5, recipe="now"), "now"
    stage.capacity(generation=1)
    stage.pools.interest(PYTHON)
    await _run_pools(stage)
    waiting = stage.pools.pods()
    assert len(waiting) == 3
    for recipe, kept in (("now", waiting), ("before", set[str]())):
        stage.compute.recipe = recipe
        leader = stage.capacity(generation=2)
        await leader.adopt()
        stage.pools.interest(PYTHON)
        await _run_pools(stage)
        assert stage.pools.pods() & waiting == kept


async def _run_pools(stage: Stage) -> None:
    running = asyncio.create_task(stage.pools.run())
    await asyncio.sleep(10)
    running.cancel()


async def test_what_a_gateway_may_hold_that_is_late_counts_until_it_has_told(stage: Stage) -> None:
    """Of two that reconnect, the second must not find its place under the cap given away."""
    before = stage.capacity(limit=1, generation=1)
    held = await before.claim(REVISION, gateway="late", seconds=30)
    leader = stage.capacity(limit=1, generation=2)
    await leader.adopt()
    with pytest.raises(ThrottledError):
        await leader.claim(REVISION, gateway="early", seconds=30)
    await leader.learn("late", [held])
    assert leader.taken(stage.caps.key_of(REVISION)) == 1
    await leader.release(held.id, "ended")
    await asyncio.sleep(1)
    assert await leader.claim(REVISION, gateway="early", seconds=30)


async def test_what_no_gateway_tells_of_counts_until_it_is_stopped(stage: Stage) -> None:
    """Something may run in it still that a gateway began which has gone."""
    before = stage.capacity(limit=1, generation=1)
    await before.claim(REVISION, gateway="gone", seconds=30)
    leader = stage.capacity(limit=1, generation=2)
    await leader.adopt()
    assert leader.taken(stage.caps.key_of(REVISION)) == 1
    stage.compute.stopping.clear()
    await leader.stop_orphans()
    await asyncio.sleep(1)
    assert leader.taken(stage.caps.key_of(REVISION)) == 1
    stage.compute.stopping.set()
    await asyncio.sleep(1)
    assert leader.taken(stage.caps.key_of(REVISION)) == 0
