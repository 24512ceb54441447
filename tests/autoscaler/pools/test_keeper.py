"""Generic pods: started before anyone asks, handed out once, refilled without delaying a demand."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from pilotlight.compute import GENERIC_MEMORY, Pod
from pilotlight.errors import StartFailedError
from pilotlight.resources import Function, Key
from pilotlight_autoscaler.creations import PER_NODE
from pilotlight_autoscaler.pools.decide import PoolKey, PoolSpec
from pilotlight_autoscaler.pools.keeper import REFILLS_BESIDE_CLAIMS, TICK_SECONDS
from pilotlight_autoscaler.quiet import LONGEST_SECONDS, PAUSE_SECONDS
from tests.autoscaler.conftest import OTHER, REVISION

if TYPE_CHECKING:
    from tests.autoscaler.conftest import Stage

pytestmark = pytest.mark.looptime
PYTHON = PoolKey("default", "python3.13")
_running: set[asyncio.Task[None]] = set()
"""Kept from the garbage collector."""


async def settled(seconds: float = 2 * PAUSE_SECONDS) -> None:
    """Let virtual time pass, and everything that is due in it happen."""
    await asyncio.sleep(seconds)


async def filled(stage: Stage) -> Stage:
    """Fill a pool of three; what runs for it ends with the test's loop."""
    stage.pool = PoolSpec(minimum=3, maximum=5)
    stage.table = stage.capacity()
    stage.pools.follow(stage.cache)
    for work in (stage.pools.run(), stage.cache.run()):
        _running.add(asyncio.create_task(work))
    await settled()
    return stage


async def test_a_function_that_comes_fills_the_pool(stage: Stage) -> None:
    warm = await filled(stage)
    assert len(warm.pools.pods()) == 3
    assert all("generic" in pod for pod in warm.pools.pods())


async def test_a_claim_takes_a_generic_pod_and_the_pool_is_refilled(stage: Stage) -> None:
    warm = await filled(stage)
    before = warm.pools.pods()
    lease = await warm.table.claim(REVISION, gateway="g", seconds=5)
    await settled()
    assert lease.pod in before
    assert lease.pod not in warm.pools.pods()
    assert warm.compute.assigned[lease.pod].revision == REVISION
    assert len(warm.pools.pods()) == 3


async def test_generic_pods_expect_what_most_functions_have(stage: Stage) -> None:
    """As they come, change and go."""
    warm = await filled(stage)
    function = warm.cache.get(Function, Key("default", "f"))
    assert function is not None

    def note(name: str, memory: int) -> None:
        metadata = function.metadata.model_copy(update={"name": name, "resource_version": ""})
        spec = function.spec.model_copy(update={"memory": memory})
        warm.cache.note(function.model_copy(update={"metadata": metadata, "spec": spec}))

    async def expected() -> int:
        before = set(warm.compute.requests)
        warm.pools.take(PYTHON)
        await settled()
        (made,) = set(warm.compute.requests) - before
        return warm.compute.requests[made].expected_memory

    assert await expected() == 128
    for name in ("a", "b", "c"):
        note(name, 512)
    assert await expected() == 512
    for name in ("large", "larger", "largest", "x", "y"):
        note(name, GENERIC_MEMORY + 1)  # which no generic pod serves
    note("a", 128)
    warm.cache.forget(Function, Key("default", "b"))
    assert await expected() == 128


async def test_no_generic_pod_is_handed_out_twice(stage: Stage) -> None:
    warm = await filled(stage)
    claims = [
        warm.table.claim(revision, gateway="g", seconds=5)
        for revision in (REVISION, OTHER) for _ in range(5)
    ]  # fmt: skip
    leases = await asyncio.gather(*claims)
    assert len({lease.pod for lease in leases}) == 10
    assert not {lease.pod for lease in leases} & warm.pools.pods()


async def test_a_generic_pod_that_fails_half_way_is_discarded(stage: Stage) -> None:
    warm = await filled(stage)
    warm.agents.fail_next = 1
    before = warm.pools.pods()
    lease = await warm.table.claim(REVISION, gateway="g", seconds=5)
    await settled()
    assert lease.pod not in before
    assert len(before & warm.compute.pods) == 2


async def test_two_failures_are_told(stage: Stage) -> None:
    warm = await filled(stage)
    warm.agents.failing = True
    with pytest.raises(StartFailedError):
        await warm.table.claim(REVISION, gateway="g", seconds=5)


async def test_as_many_pods_start_at_once_as_nodes_can_take(stage: Stage) -> None:
    """Nodes are those that run a generic pod; before the first there is one."""
    stage.pool = PoolSpec(minimum=40, maximum=40)
    stage.compute.nodes = itertools.cycle(["one", "two", "three"])
    stage.compute.gate.clear()
    stage.table = stage.capacity()
    stage.pools.follow(stage.cache)
    for work in (stage.pools.run(), stage.cache.run()):
        _running.add(asyncio.create_task(work))
    for started in (1, 1 + 2, 1 + 2 + 3):  # two of them run on two nodes, and so on
        await settled()
        assert stage.compute.started == started * PER_NODE // 2
        stage.compute.gate.set()
        stage.compute.gate.clear()


async def test_demand_goes_first(stage: Stage) -> None:
    warm = await filled(stage)
    for _ in range(3):
        await warm.table.claim(REVISION, gateway="g", seconds=5)
        warm.compute.gate.clear()
    await settled()
    started = warm.compute.started
    with warm.pools.demand(PYTHON.namespace):
        warm.compute.gate.set()
        await settled()
        in_lane = warm.compute.started
        warm.pools.take(PYTHON)
        await settled()
        assert warm.compute.started == in_lane, "nothing is refilled while somebody waits"
    await settled()
    assert warm.compute.started > started
    assert len(warm.pools.pods()) >= 3


async def test_anothers_flood_does_not_empty_an_accounts_pool(stage: Stage) -> None:
    """While others wait it is refilled in the account's turns among them."""
    warm = await filled(stage)
    with warm.pools.demand("flood"):
        started = warm.compute.started
        warm.compute.gate.clear()
        for _ in range(3):
            warm.pools.take(PYTHON)
        await settled(LONGEST_SECONDS + PAUSE_SECONDS)
        assert warm.compute.started == started + REFILLS_BESIDE_CLAIMS
        warm.compute.gate.set()
        await settled(LONGEST_SECONDS + PAUSE_SECONDS)
    assert len(warm.pools.pods()) >= 3


async def test_a_claim_has_the_cores_for_itself(stage: Stage) -> None:
    warm = await filled(stage)
    started = warm.compute.started
    await warm.table.claim(REVISION, gateway="g", seconds=5)
    await settled(0.9 * PAUSE_SECONDS)
    assert warm.compute.started == started, "the claimed environment starts, nothing else does"
    await settled()
    assert warm.compute.started == started + 1


async def test_claims_without_end_do_not_hold_refills_for_ever(stage: Stage) -> None:
    warm = await filled(stage)
    started = warm.compute.started
    for _ in range(int(2 * LONGEST_SECONDS / PAUSE_SECONDS) + 1):
        warm.pools.take(PYTHON)
        await asyncio.sleep(PAUSE_SECONDS / 2)
    assert warm.compute.started > started


async def test_a_lost_generic_pod_is_replaced(stage: Stage) -> None:
    warm = await filled(stage)
    lost = min(warm.pools.pods())
    await warm.compute.lose(lost)
    await settled()
    assert lost not in warm.pools.pods()
    assert len(warm.pools.pods()) == 3


async def test_a_changed_runtime_replaces_what_waits(stage: Stage) -> None:
    warm = await filled(stage)
    before = warm.pools.pods()
    warm.pool = PoolSpec(minimum=3, maximum=5, recipe="another image")
    warm.compute.gate.clear()
    await settled(2 * TICK_SECONDS)
    assert warm.pools.pods() == before, "they serve until there are newer ones"
    warm.compute.gate.set()
    await settled(2 * TICK_SECONDS)
    assert len(warm.pools.pods()) == 3
    assert not before & warm.pools.pods()
    assert not before & warm.compute.pods


async def test_what_waits_serves_while_its_successor_cannot_start(stage: Stage) -> None:
    warm = await filled(stage)
    before = warm.pools.pods()
    warm.pool = PoolSpec(minimum=3, maximum=5, recipe="an image that is not there")
    warm.compute.failing = True
    await settled(2 * TICK_SECONDS)
    lease = await warm.table.claim(REVISION, gateway="g", seconds=5)
    assert lease.pod in before


async def test_generic_pods_are_no_orphans(stage: Stage) -> None:
    warm = await filled(stage)
    await warm.table.succession.stop_orphans()
    await settled()
    assert len(warm.pools.pods()) == 3


async def test_a_new_leader_takes_generic_pods_over(stage: Stage) -> None:
    """But not one that has had a function, even if nobody has written that down yet."""
    old = await filled(stage)
    used = await old.table.claim(REVISION, gateway="g", seconds=5)
    stage.compute.assigned.clear()
    waiting = old.pools.pods()
    new = stage.capacity(generation=2)
    await new.succession.adopt()
    assert stage.pools.pods() == waiting
    granted = await new.claim(REVISION, gateway="g", seconds=5)
    assert granted.pod in waiting
    assert granted.pod != used.pod


async def test_what_was_taken_over_goes_for_what_is_new(stage: Stage) -> None:
    """A pool is never empty meanwhile."""
    old = await filled(stage)
    waiting = old.pools.pods()
    stage.capacity(generation=2)
    for pod in waiting:
        stage.pools.adopt(PYTHON, Pod(pod, "127.0.0.1", 1), "as it was")
    stage.pools.interest(PYTHON)
    task = asyncio.create_task(stage.pools.run())
    await settled(2 * TICK_SECONDS)
    task.cancel()
    assert len(stage.pools.pods()) == 3
    assert not waiting & stage.pools.pods()


async def test_closing_leaves_nothing(stage: Stage) -> None:
    warm = await filled(stage)
    await warm.pools.close()
    await settled()
    assert not warm.compute.pods
