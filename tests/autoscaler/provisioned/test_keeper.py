"""Provisioned concurrency in the lease table: what is wanted is kept free for it, then is there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.claims import RevisionKey
from pilotlight.errors import StartFailedError, ThrottledError
from pilotlight.publishing import publish
from pilotlight.resources import Function, FunctionAlias, FunctionAliasSpec, Key, ObjectMeta
from pilotlight_autoscaler.leases.burst import BURST, Burst
from pilotlight_autoscaler.leases.stock import decide
from pilotlight_autoscaler.provisioned.keeper import ProvisionedKeeper
from tests.autoscaler.conftest import REVISION
from tests.autoscaler.leases.test_caps import claim, settled
from tests.support.compute import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.resources import FunctionVersion
    from pilotlight_autoscaler.leases.capacity import Capacity
    from tests.autoscaler.conftest import Stage

COUNTS = st.integers(0, 50)


@given(wanted=COUNTS, live=COUNTS, starting=COUNTS, ready=COUNTS)
def test_decisions_lead_to_what_is_wanted(
    wanted: int, live: int, starting: int, ready: int
) -> None:
    """What is in use is never stopped, and nothing is started and stopped at once."""
    ready = min(ready, live)
    decision = decide(wanted, live=live, starting=starting, ready=ready)
    assert decision.stop <= ready
    assert not (decision.start and decision.stop)
    after = live + starting + decision.start - decision.stop
    assert after >= wanted
    assert after == wanted or decision.stop == ready


async def test_what_is_wanted_is_nobody_elses(stage: Stage) -> None:
    """From the moment that it is wanted; a claim of the version gets it at once."""
    capacity = stage.capacity(limit=3)
    stage.stock.want({REVISION: 2})
    first = await claim(capacity)
    with pytest.raises(ThrottledError):
        await claim(capacity)
    for _ in range(2):
        await capacity.provision(REVISION, seconds=5)
    assert not first.provisioned
    granted = [await claim(capacity) for _ in range(2)]
    assert all(lease.provisioned for lease in granted)
    types = [one.function.initialization_type for one in stage.agents.specialised]
    assert types == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]


async def test_what_comes_back_stands_ready_again(stage: Stage) -> None:
    """Unless less is wanted by then."""
    capacity = stage.capacity()
    stage.stock.want({REVISION: 1})
    await capacity.provision(REVISION, seconds=5)
    lease = await claim(capacity)
    await capacity.release(lease.id, "idle")
    again = await claim(capacity, gateway="g2")
    assert again.environment == lease.environment
    stage.stock.want({})
    await capacity.release(again.id, "idle")
    await settled()
    assert not stage.compute.pods


async def test_one_that_ended_is_replaced(stage: Stage) -> None:
    """And a pod that was lost."""
    capacity = stage.capacity()
    stage.stock.want({REVISION: 1})
    await capacity.provision(REVISION, seconds=5)
    lease = await claim(capacity)
    await capacity.release(lease.id, "ended")
    assert stage.stock.decide(REVISION).start == 1
    await capacity.provision(REVISION, seconds=5)
    await stage.compute.lose(next(iter(stage.stock.pods())))
    assert stage.stock.decide(REVISION).start == 1
    assert stage.stock.state(REVISION).status == "IN_PROGRESS"


async def test_a_new_leader_learns_which_are_provisioned(stage: Stage) -> None:
    """From the leases that gateways hold."""
    capacity = stage.capacity()
    stage.stock.want({REVISION: 1})
    await capacity.provision(REVISION, seconds=5)
    lease = await claim(capacity)
    successor = stage.capacity(generation=1)
    await successor.succession.learn("g1", [lease])
    stage.stock.want({REVISION: 1})
    assert stage.stock.decide(REVISION).start == 0
    assert successor.taken(stage.caps.key_of(REVISION)) == 1


async def test_an_uninitialised_environment_does_not_count(stage: Stage) -> None:
    """It is stopped, and the start fails."""
    capacity = stage.capacity()
    stage.agents.uninitialisable = True
    stage.stock.want({REVISION: 1})
    with pytest.raises(StartFailedError):
        await capacity.provision(REVISION, seconds=5)
    await settled()
    assert not stage.compute.pods


@pytest.fixture
async def version(stage: Stage) -> FunctionVersion:
    """Version 1 of the function."""
    function = await stage.resources.get(Function, Key("default", "f"))
    return await publish(stage.cache, function)


@contextlib.asynccontextmanager
async def keeping(stage: Stage, capacity: Capacity) -> AsyncIterator[ProvisionedKeeper]:
    """Run a keeper in virtual time."""
    keeper = ProvisionedKeeper(
        capacity, stage.stock, stage.cache, clock=asyncio.get_running_loop().time
    )
    tasks = [asyncio.create_task(work) for work in (stage.cache.run(), keeper.run())]
    try:
        yield keeper
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await keeper.close()


def key_of(version: FunctionVersion) -> RevisionKey:
    return RevisionKey("default", "f", version.spec.revision)


async def ask(stage: Stage, version: FunctionVersion, count: int | None) -> None:
    spec = version.spec.model_copy(update={"provisioned_concurrency": count})
    held = await stage.resources.get(type(version), version.key)
    await stage.resources.replace(held.model_copy(update={"spec": spec}))


@pytest.mark.looptime
async def test_versions_and_aliases_are_followed(stage: Stage, version: FunctionVersion) -> None:
    """Both numbers add up; an alias that goes takes its own along."""
    capacity = stage.capacity()
    async with keeping(stage, capacity) as keeper:
        await ask(stage, version, 2)
        alias = await stage.resources.create(
            FunctionAlias(
                metadata=ObjectMeta(name="f-live", namespace="default"),
                spec=FunctionAliasSpec(
                    function="f", alias="live", version="$PUBLISHED", provisioned_concurrency=1
                ),
            )
        )
        await asyncio.sleep(5)
        state = await keeper.state(key_of(version))
        assert (state.requested, state.available, state.status) == (3, 3, "READY")
        await stage.resources.delete(FunctionAlias, alias.key)
        await ask(stage, version, 1)
        await asyncio.sleep(5)
        assert len(stage.compute.pods) == 1


@pytest.mark.looptime
async def test_a_failure_is_told_and_tried_again(stage: Stage, version: FunctionVersion) -> None:
    """After a rest; then it is forgotten."""
    capacity = stage.capacity()
    stage.agents.uninitialisable = True
    async with keeping(stage, capacity) as keeper:
        await ask(stage, version, 1)
        await asyncio.sleep(1)
        state = await keeper.state(key_of(version))
        assert (state.status, state.status_reason) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
        stage.agents.uninitialisable = False
        await asyncio.sleep(15)
        state = await keeper.state(key_of(version))
        assert (state.status, state.status_reason) == ("READY", None)


@pytest.mark.looptime
async def test_more_than_a_function_reserves_is_told(
    stage: Stage, version: FunctionVersion
) -> None:
    """What it reserves is provisioned; once it reserves enough the rest is, too."""
    capacity = stage.capacity()
    await reserve(stage, 2)
    async with keeping(stage, capacity) as keeper:
        await ask(stage, version, 3)
        await asyncio.sleep(5)
        state = await keeper.state(key_of(version))
        assert (state.available, state.status) == (2, "FAILED")
        assert state.status_reason is not None
        assert "than the 2 concurrent executions that function f reserves" in state.status_reason
        await reserve(stage, 3)
        await asyncio.sleep(15)
        state = await keeper.state(key_of(version))
        assert (state.available, state.status) == (3, "READY")


async def reserve(stage: Stage, count: int) -> None:
    """As a manifest may, which nobody asks whether that is enough."""
    function = await stage.resources.get(Function, Key("default", "f"))
    spec = function.spec.model_copy(update={"reserved_concurrency": count})
    await stage.resources.replace(function.model_copy(update={"spec": spec}))
    await settled()


@pytest.mark.looptime
async def test_a_cluster_that_is_full_is_told(stage: Stage, version: FunctionVersion) -> None:
    capacity = stage.capacity()
    stage.compute.crowded = True
    async with keeping(stage, capacity) as keeper:
        await ask(stage, version, 1)
        await asyncio.sleep(5)
        state = await keeper.state(key_of(version))
        assert (state.status, state.status_reason) == ("FAILED", NO_ROOM)


def test_a_burst_is_a_thousand_and_fills_in_ten_seconds() -> None:
    """Evenly, and never above."""
    burst = Burst(0.0)
    for _ in range(BURST):
        burst.take(0.0)
    with pytest.raises(ThrottledError):
        burst.take(0.0)
    for _ in range(BURST // 2):
        burst.take(5.0)
    with pytest.raises(ThrottledError):
        burst.take(5.0)
    assert not burst.is_full(14.9)
    assert burst.is_full(15.1)
