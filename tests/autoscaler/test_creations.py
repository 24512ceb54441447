"""Turns of making pods, in virtual time: bounded, by function, and none that comes too late."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from pilotlight.claims import Demand
from pilotlight.errors import ThrottledError, WithdrawnError
from pilotlight.resources import Key
from pilotlight_autoscaler.creations import LEAST_SECONDS, MOST_PER_NODE, PER_NODE, Creations
from pilotlight_autoscaler.metrics import AutoscalerMetrics
from pilotlight_autoscaler.pools.decide import PoolKey, PoolSpec
from tests.autoscaler.conftest import OTHER, REVISION

if TYPE_CHECKING:
    from pilotlight.claims import Lease
    from pilotlight_autoscaler.leases.capacity import Capacity
    from tests.autoscaler.conftest import Stage

pytestmark = pytest.mark.looptime

LOUD, QUIET = Key("default", "loud"), Key("default", "quiet")
POD_SECONDS = 4.0
POOL = PoolKey("default", "python3.13")


async def make(
    creations: Creations,
    function: Key,
    made: list[Key],
    seconds: float = 60.0,
    demand: Demand | None = None,
) -> None:
    async with creations.turn(function, seconds, demand or Demand()):
        await asyncio.sleep(POD_SECONDS)
        made.append(function)


async def test_no_more_are_made_at_once_than_nodes_start() -> None:
    """Whatever is asked for; each node that is seen brings its share."""
    for nodes in (1, 3):
        made: list[Key] = []
        creations = Creations(AutoscalerMetrics())
        for number in range(nodes):
            creations.saw(f"node-{number}")
        everyone = [asyncio.create_task(make(creations, LOUD, made)) for _ in range(40)]
        await asyncio.sleep(POD_SECONDS + 0.1)
        # A function of which one was made leaves a turn to others.
        assert PER_NODE * nodes - 1 <= len(made) <= PER_NODE * nodes
        await asyncio.gather(*everyone)


async def test_a_larger_node_starts_more() -> None:
    """By its processors, as the agents there tell."""
    creations = Creations(AutoscalerMetrics())
    for processors, limit in ((0, PER_NODE), (2, PER_NODE), (6, 12), (64, MOST_PER_NODE)):
        creations.saw("node", processors)
        assert creations.limit == limit
    creations.saw("node")
    creations.saw("another")
    assert creations.limit == MOST_PER_NODE + PER_NODE


async def test_a_function_waits_for_no_others_crowd() -> None:
    """It is served with the next turn that comes."""
    creations, made = Creations(AutoscalerMetrics()), list[Key]()
    crowd = [asyncio.create_task(make(creations, LOUD, made, seconds=90)) for _ in range(60)]
    await asyncio.sleep(0.1)
    await make(creations, QUIET, made)
    assert made.count(LOUD) <= 2 * PER_NODE
    await asyncio.gather(*crowd)


async def test_what_would_come_too_late_is_not_begun() -> None:
    """It is refused while there is time to say so, and takes nobody's turn."""
    creations, made = Creations(AutoscalerMetrics()), list[Key]()
    crowd = [asyncio.create_task(make(creations, LOUD, made, seconds=90)) for _ in range(60)]
    await asyncio.sleep(0.1)
    late = [asyncio.create_task(make(creations, LOUD, made, seconds=10)) for _ in range(5)]
    began = asyncio.get_running_loop().time()
    refused = await asyncio.gather(*late, return_exceptions=True)
    assert all(isinstance(one, ThrottledError) for one in refused)
    assert asyncio.get_running_loop().time() - began == pytest.approx(10 - LEAST_SECONDS, abs=0.1)
    await asyncio.gather(*crowd)
    assert len(made) == 60


async def test_a_function_whose_first_pod_would_come_too_late_is_refused_at_once() -> None:
    """An account that asks for thousands of cold functions hears so in milliseconds."""
    creations, made = Creations(AutoscalerMetrics()), list[Key]()
    functions = [Key("flood", f"f{number}") for number in range(5000)]
    began = time.process_time()
    crowd = [asyncio.create_task(make(creations, one, made, seconds=30)) for one in functions]
    await asyncio.sleep(0)
    refused = [one for one in crowd if one.done()]
    assert len(refused) > 4000
    assert time.process_time() - began < 0.01 * len(refused)
    assert all(isinstance(one.exception(), ThrottledError) for one in refused)
    began = time.process_time()
    with pytest.raises(ThrottledError):
        await make(creations, Key("flood", "late"), made, seconds=30)
    assert time.process_time() - began < 0.01
    # Another account's first pod waits for one turn, whatever waits before it.
    await make(creations, Key("quiet", "first"), made)
    assert asyncio.get_running_loop().time() <= 2 * POD_SECONDS + 0.1
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_accounts_take_turns() -> None:
    """Functions of one are many claims of one account, not many accounts."""
    creations, made = Creations(AutoscalerMetrics()), list[Key]()
    flood = [Key("flood", f"f{number}") for number in range(100)]
    few = [Key("few", name) for name in "abcd"]
    everyone = [
        asyncio.create_task(make(creations, one, made, seconds=120)) for one in (*flood, *few)
    ]
    await asyncio.gather(*everyone)
    last = max(made.index(one) for one in few)
    assert last < PER_NODE + 2 * len(few)


async def test_a_demand_that_is_withdrawn_takes_nobodys_turn() -> None:
    """Whether it waits or the turn comes at that moment; what has begun goes on."""
    creations, made = Creations(AutoscalerMetrics()), list[Key]()
    demands = [Demand() for _ in range(20)]
    everyone = [
        asyncio.create_task(make(creations, LOUD, made, demand=demand)) for demand in demands
    ]
    await asyncio.sleep(0.1)
    for demand in demands:
        demand.withdraw()
    results = await asyncio.gather(*everyone, return_exceptions=True)
    assert sum(isinstance(one, WithdrawnError) for one in results) == 20 - len(made)
    assert PER_NODE - 1 <= len(made) <= PER_NODE
    withdrawn = Demand()
    withdrawn.withdraw()
    with pytest.raises(WithdrawnError):
        await make(creations, QUIET, made, demand=withdrawn)


async def test_claims_beyond_what_a_node_starts_begin_nothing(stage: Stage) -> None:
    """A storm of claims makes a few pods at a time, and another function's comes soon."""
    table = stage.capacity()
    stage.compute.gate.clear()
    storm = [
        asyncio.create_task(table.claim(REVISION, gateway="a", seconds=30)) for _ in range(300)
    ]
    await asyncio.sleep(0)
    other = asyncio.create_task(table.claim(OTHER, gateway="a", seconds=30))
    await asyncio.sleep(1)
    assert stage.compute.started <= PER_NODE
    assert not other.done()
    stage.compute.gate.set()
    assert (await other).revision == OTHER
    for claim in storm:
        claim.cancel()
    await asyncio.gather(*storm, return_exceptions=True)


async def test_refills_and_demand_have_one_budget(stage: Stage) -> None:
    """What refills take, claims have not; while claims wait, nothing is refilled."""
    stage.pool = PoolSpec(minimum=20, maximum=20)
    table = stage.capacity()
    stage.compute.gate.clear()
    pools = asyncio.create_task(stage.pools.run())
    stage.pools.interest(POOL)
    await asyncio.sleep(1)
    assert stage.compute.started == PER_NODE // 2
    claims = [asyncio.create_task(claim(table)) for _ in range(30)]
    await asyncio.sleep(1)
    assert PER_NODE - 1 <= stage.compute.started <= PER_NODE
    assert _gauge(stage, "pilotlight_pod_creations", state="taken") <= PER_NODE
    assert _gauge(stage, "pilotlight_pod_creations", state="limit") == PER_NODE
    assert _gauge(stage, "pilotlight_pod_creations", state="waiting") >= 30 - PER_NODE
    starting = _gauge(stage, "pilotlight_pods_starting", namespace="default", state="starting")
    assert starting == stage.compute.started
    for work in (pools, *claims):
        work.cancel()
    await asyncio.gather(pools, *claims, return_exceptions=True)


async def test_a_claim_that_waits_for_its_turn_takes_a_pod_that_was_refilled(stage: Stage) -> None:
    """Nothing is made for it then; where that pod turns out bad, one of its own is."""
    stage.pool = PoolSpec(minimum=1, maximum=1)
    table = stage.capacity()
    stage.compute.gate.clear()
    pools = asyncio.create_task(stage.pools.run())
    stage.pools.interest(POOL)
    await asyncio.sleep(0.1)
    storm = [asyncio.create_task(claim(table)) for _ in range(PER_NODE)]
    await asyncio.sleep(0.1)
    pools.cancel()
    late = asyncio.create_task(table.claim(OTHER, gateway="a", seconds=30))
    await asyncio.sleep(1)
    begun = stage.compute.started
    stage.compute.gate.set()
    leases = await asyncio.gather(*storm, late)
    assert sum(lease.start.source == "pool" for lease in leases) == 1
    assert stage.compute.started == begun + len(leases) - begun


async def claim(table: Capacity) -> Lease:
    """Claim an environment of the first function."""
    return await table.claim(REVISION, gateway="a", seconds=30)


def _gauge(stage: Stage, name: str, **labels: str) -> float:
    stage.autoscaler.measure()
    value = stage.autoscaler.metrics.registry.get_sample_value(name, labels)
    assert value is not None, name
    return value
