"""What an earlier leader left: pods that wait, and those that it had begun to make, are used."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from unittest.mock import AsyncMock

import pytest

from pilotlight.errors import ThrottledError
from pilotlight_autoscaler.creations import PER_NODE
from pilotlight_autoscaler.leases.capacity import PARKED_SECONDS
from pilotlight_autoscaler.leases.stock import Decision
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
    await leader.succession.adopt()
    stage.compute.gate.set()
    await asyncio.sleep(1)
    leases = [await leader.claim(REVISION, gateway="g", seconds=30) for _ in range(4)]
    assert len({lease.pod for lease in leases}) == 4
    assert stage.compute.started == 4
    await leader.succession.stop_orphans()
    assert {lease.pod for lease in leases} <= stage.compute.pods


async def test_pods_that_are_being_made_keep_the_node_busy(stage: Stage) -> None:
    """They count as ours: no more are made at once because the leader changed."""
    await abandoned(stage, PER_NODE - 1)
    leader = stage.capacity(generation=2)
    await leader.succession.adopt()
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
    await leader.succession.adopt()
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
    await leader.succession.adopt()
    await asyncio.sleep(1)
    await leader.succession.stop_orphans()
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
        await leader.succession.adopt()
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
    await leader.succession.adopt()
    with pytest.raises(ThrottledError):
        await leader.claim(REVISION, gateway="early", seconds=30)
    await leader.succession.learn("late", [held])
    assert leader.taken(stage.caps.key_of(REVISION)) == 1
    await leader.release(held.id, "ended")
    await asyncio.sleep(1)
    assert await leader.claim(REVISION, gateway="early", seconds=30)


async def test_what_no_gateway_tells_of_counts_until_it_is_stopped(stage: Stage) -> None:
    """Something may run in it still that a gateway began which has gone."""
    before = stage.capacity(limit=1, generation=1)
    await before.claim(REVISION, gateway="gone", seconds=30)
    leader = stage.capacity(limit=1, generation=2)
    await leader.succession.adopt()
    assert leader.taken(stage.caps.key_of(REVISION)) == 1
    stage.compute.stopping.clear()
    await leader.succession.stop_orphans()
    await asyncio.sleep(1)
    assert leader.taken(stage.caps.key_of(REVISION)) == 1
    stage.compute.stopping.set()
    await asyncio.sleep(1)
    assert leader.taken(stage.caps.key_of(REVISION)) == 0


async def test_what_was_handed_over_to_a_leader_that_is_gone_is_to_be_had(stage: Stage) -> None:
    """Its gateway ends and has told that it holds nothing: the next claim gets it at once."""
    before = stage.capacity(limit=1, generation=1)
    held = await before.claim(REVISION, gateway="ending", seconds=30)
    await before.release(held.id, "handover")
    stage.agents.idle[held.pod] = "ending"
    leader = stage.capacity(limit=1, generation=2)
    await leader.succession.learn("ending", [])
    await leader.succession.adopt()
    granted = await leader.claim(REVISION, gateway="next", seconds=30)
    assert (granted.pod, granted.environment) == (held.pod, f"{held.pod}-e0")
    assert granted.epoch > held.epoch
    await leader.succession.stop_orphans()
    await asyncio.sleep(1)
    assert held.pod in stage.compute.pods


async def test_what_idles_and_nobody_tells_of_is_kept_for_a_while(stage: Stage) -> None:
    """A call that waits gets it as soon as no gateway can be late any more; else it goes."""
    before = stage.capacity(limit=2, generation=1)
    leases = [await before.claim(REVISION, gateway="gone", seconds=30) for _ in range(2)]
    stage.agents.idle |= {lease.pod: "gone" for lease in leases}
    leader = stage.capacity(limit=2, generation=2)
    await leader.succession.adopt()
    assert leader.taken(stage.caps.key_of(REVISION)) == 2
    await leader.succession.stop_orphans()
    granted = await leader.claim(REVISION, gateway="g", seconds=30)
    await asyncio.sleep(PARKED_SECONDS + 1)
    assert stage.compute.pods == {granted.pod}
    assert leader.taken(stage.caps.key_of(REVISION)) == 1


async def test_a_gateway_that_is_late_gives_up_what_others_may_have(stage: Stage) -> None:
    """Its agents refuse its leases since they wait for others, and it is told to let go of them."""
    before = stage.capacity(generation=1)
    leases = [await before.claim(REVISION, gateway="late", seconds=30) for _ in range(2)]
    stage.agents.idle |= {lease.pod: "late" for lease in leases}
    leader, holders = stage.capacity(generation=2), AsyncMock()
    leader.ask(holders)
    await leader.succession.learn("other", [])
    await leader.succession.adopt()
    await leader.succession.stop_orphans()
    assert all(stage.agents.fenced[one.pod] > one.epoch for one in leases)
    granted = await leader.claim(REVISION, gateway="other", seconds=30)
    assert granted.epoch > stage.agents.fenced[granted.pod]
    # The agent names them all alike here.
    told = [replace(lease, environment=f"{lease.pod}-e0") for lease in leases]
    await leader.succession.learn("late", told)
    await asyncio.sleep(1)
    holders.shed.assert_awaited_once_with("late", [one.id for one in told], 2)
    assert not leader.leases_of("late")
    assert leader.taken(stage.caps.key_of(REVISION)) == 2


async def test_what_begins_to_run_as_it_is_taken_over_is_not(stage: Stage) -> None:
    """Its agent said that it idled; a gateway that told nothing yet has called since."""
    before = stage.capacity(limit=1, generation=1)
    held = await before.claim(REVISION, gateway="late", seconds=30)
    stage.agents.idle[held.pod] = "late"
    stage.agents.unfenced.add(held.pod)
    leader = stage.capacity(limit=1, generation=2)
    await leader.succession.learn("late", [])
    await leader.succession.adopt()
    with pytest.raises(ThrottledError):
        await leader.claim(REVISION, gateway="other", seconds=30)
    await leader.succession.stop_orphans()
    await asyncio.sleep(1)
    assert held.pod not in stage.compute.pods


async def test_what_stood_ready_for_a_version_stands_ready_again(stage: Stage) -> None:
    """Provisioned environments outlast their leader: nothing is started in their place."""
    before = stage.capacity(generation=1)
    stage.stock.want({REVISION: 1})
    await before.provision(REVISION, seconds=5)
    (pod,) = stage.compute.pods
    stage.agents.idle[pod] = ""
    leader = stage.capacity(generation=2)
    stage.stock.want({REVISION: 1})
    await leader.succession.adopt()
    assert stage.stock.decide(REVISION) == Decision()
    granted = await leader.claim(REVISION, gateway="g", seconds=5)
    assert (granted.pod, granted.provisioned) == (pod, True)
    await leader.succession.stop_orphans()
    await asyncio.sleep(1)
    assert pod in stage.compute.pods


async def test_what_runs_in_a_pod_that_goes_counts_until_it_is_gone(stage: Stage) -> None:
    """An earlier leader has stopped it; nothing counts for one that runs nothing."""
    before = stage.capacity(limit=1, generation=1)
    held = await before.claim(REVISION, gateway="gone", seconds=30)
    stage.compute.going = await stage.compute.found()
    stage.compute.requests.clear()
    stage.compute.stopping.clear()
    leader = stage.capacity(limit=1, generation=2)
    await leader.succession.adopt()
    assert leader.taken(stage.caps.key_of(REVISION)) == 1
    stage.compute.stopping.set()
    await asyncio.sleep(1)
    assert leader.taken(stage.caps.key_of(REVISION)) == 0
    stage.agents.idle[held.pod] = "gone"
    leader = stage.capacity(limit=1, generation=3)
    await leader.succession.adopt()
    assert leader.taken(stage.caps.key_of(REVISION)) == 0
