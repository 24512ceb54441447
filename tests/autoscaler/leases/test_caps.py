"""Reserved concurrency, recall and shedding: limits are exact, idle leases never throttle."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pilotlight.compute import Crowd, PodRequest
from pilotlight.errors import ThrottledError
from pilotlight.resources import Function, Key
from pilotlight_autoscaler.creations import PER_NODE
from pilotlight_autoscaler.leases.capacity import KEPT_SECONDS, PARKED_SECONDS
from pilotlight_autoscaler.leases.caps import CapKey
from pilotlight_autoscaler.pools.decide import PoolKey, PoolSpec
from tests.autoscaler.conftest import OTHER, REVISION, Stage, make_stage
from tests.support.following import following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.claims import Lease, RevisionKey
    from pilotlight.compute import Pod
    from pilotlight_autoscaler.leases.capacity import Capacity
    from pilotlight_wire.specialisation import PodState


@dataclass
class FakeGateways:
    """Gateways that say which of their environments idle."""

    capacity: Capacity
    idle: set[str] = field(default_factory=set)
    resting: set[str] = field(default_factory=set)
    """Those of them that idle for longer than between two calls."""
    shedding: list[str] = field(default_factory=list)

    async def recall(self, gateway: str, leases: list[str], *, rested: bool = False) -> str | None:
        del gateway
        for lease in leases:
            if lease in (self.resting if rested else self.idle):
                self.resting.discard(lease)
                self.idle.remove(lease)
                return lease
        return None

    async def shed(self, gateway: str, leases: list[str], count: int) -> int:
        del gateway
        chosen = leases[:count]
        self.shedding += chosen
        for lease in chosen:
            await self.capacity.release(lease, "shed")
        return len(chosen)


async def reserve(stage: Stage, count: int | None, name: str = "f") -> None:
    function = await stage.resources.get(Function, Key("default", name))
    function.spec.reserved_concurrency = count
    await stage.resources.replace(function)


async def share_pods(stage: Stage, name: str, count: int) -> None:
    """Let environments of a function share pods, from its revision on."""
    function = await stage.resources.get(Function, Key("default", name))
    assert function.status.configuration is not None
    function.status.configuration.environments_per_pod = count
    await stage.resources.write_status(function)


async def take_calls(stage: Stage, name: str, count: int) -> None:
    """Let an environment of a function take several calls, from its revision on."""
    function = await stage.resources.get(Function, Key("default", name))
    assert function.status.configuration is not None
    function.status.configuration.calls_per_environment = count
    await stage.resources.write_status(function)


@contextlib.asynccontextmanager
async def followed(stage: Stage) -> AsyncIterator[None]:
    async with following(stage.cache):
        await stage.caps.synced.wait()
        yield


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def claim(capacity: Capacity, revision: RevisionKey = REVISION, gateway: str = "g1") -> Lease:
    return await capacity.claim(revision, gateway=gateway, seconds=5)


async def test_reserved_concurrency_caps_and_guarantees(stage: Stage) -> None:
    capacity = stage.capacity(limit=5)
    await reserve(stage, 2)
    async with followed(stage):
        await claim(capacity)
        await claim(capacity)
        with pytest.raises(ThrottledError) as refused:
            await claim(capacity)
        assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
        for _ in range(3):
            await claim(capacity, OTHER)
        with pytest.raises(ThrottledError) as refused:
            await claim(capacity, OTHER)
        assert refused.value.reason == "ConcurrentInvocationLimitExceeded"


async def test_a_pod_that_may_be_anybodys_counts_for_everybody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod of the pool whose function is not written down yet, and whose agent says nothing."""

    async def say_nothing(*_: object, **__: object) -> None:
        """As where a node has too much to do."""

    await stage.compute.start(PodRequest("default", "python3.13", 128, 512), seconds=1)
    monkeypatch.setattr(stage.agents, "state", say_nothing)
    await reserve(stage, 1)
    capacity = stage.capacity(generation=1)
    async with followed(stage):
        await capacity.succession.adopt()
        with pytest.raises(ThrottledError):
            await claim(capacity)
        await capacity.succession.stop_orphans()
        await settled()
        await claim(capacity)


async def test_zero_is_off(stage: Stage) -> None:
    capacity = stage.capacity()
    await reserve(stage, 0)
    async with followed(stage):
        with pytest.raises(ThrottledError):
            await claim(capacity)
        assert stage.compute.started == 0


async def test_an_idle_environment_is_handed_over(stage: Stage) -> None:
    capacity = stage.capacity(limit=1)
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    first = await claim(capacity, gateway="g1")
    with pytest.raises(ThrottledError):
        await claim(capacity, gateway="g2")
    gateways.idle.add(first.id)
    second = await claim(capacity, gateway="g2")
    assert (second.pod, second.environment) == (first.pod, first.environment)
    assert second.epoch > first.epoch
    assert stage.compute.started == 1


async def test_an_idle_environment_of_another_function_makes_room(stage: Stage) -> None:
    capacity = stage.capacity(limit=1)
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    idle = await claim(capacity, OTHER)
    gateways.idle.add(idle.id)
    lease = await claim(capacity)
    await settled()
    assert stage.compute.pods == {lease.pod}


async def test_a_crowded_node_costs_an_idle_environment(stage: Stage) -> None:
    """The one that its gateway would miss least; what runs stays."""
    capacity = stage.capacity()
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    idle, busy = await claim(capacity, OTHER), await claim(capacity)
    gateways.idle.add(idle.id)
    assert not await stage.compute.make_space(Crowd("default")), "it is between two calls"
    gateways.resting.add(idle.id)
    made = [await stage.compute.make_space(Crowd("default")) for _ in range(2)]
    await settled()
    assert made == [True, False]
    assert stage.compute.pods == {busy.pod}


async def test_a_limit_takes_what_rests_rather_than_what_is_between_two_calls(stage: Stage) -> None:
    """But rather that than throttle: a limit counts what runs."""
    capacity = stage.capacity(limit=3)
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    busy, resting = await claim(capacity, OTHER), await claim(capacity, OTHER)
    await claim(capacity)
    gateways.idle |= {busy.id, resting.id}
    gateways.resting.add(resting.id)
    await claim(capacity)
    await settled()
    assert busy.pod in stage.compute.pods
    assert resting.pod not in stage.compute.pods
    await claim(capacity)
    await settled()
    assert busy.pod not in stage.compute.pods


async def test_a_crowded_node_costs_a_generic_pod_first(stage: Stage) -> None:
    """Nobody waits for it."""
    stage.pool = PoolSpec(minimum=1, maximum=1)
    capacity = stage.capacity()
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    stage.pools.interest(PoolKey("default", "python3.13"))
    await stage.pools._adjust(PoolKey("default", "python3.13"))
    await settled()
    generic = stage.pools.pods()
    held = await claim(capacity, OTHER._replace(namespace="default"))
    assert {held.pod} == generic
    await stage.pools.quiet.wait()  # as refills do
    await stage.pools._adjust(PoolKey("default", "python3.13"))
    await settled()
    gateways.idle.add(held.id)
    await stage.compute.make_space(Crowd("default"))
    await settled()
    assert stage.compute.pods == {held.pod}


async def test_a_limit_that_falls_is_shed_to(stage: Stage) -> None:
    capacity = stage.capacity()
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    async with followed(stage):
        for _ in range(4):
            await claim(capacity)
        await reserve(stage, 1)
        await settled()
        assert len(gateways.shedding) == 3
        assert len(stage.compute.pods) == 1
        await reserve(stage, None)
        await settled()
        await claim(capacity)


@pytest.mark.looptime
async def test_a_claim_waits_for_what_is_asked_about_an_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit of one, who calls again in that moment is not throttled."""
    answer = stage.agents.state

    async def slowly(pod: Pod, *, seconds: float) -> PodState | None:
        await asyncio.sleep(0.5)
        return await answer(pod, seconds=seconds)

    monkeypatch.setattr(stage.agents, "state", slowly)
    capacity = stage.capacity(limit=1)
    stage.compute.stopping.clear()
    ended = await claim(capacity)
    stage.agents.idle[ended.pod] = ""
    await capacity.release(ended.id, "ended")
    await asyncio.sleep(0.1)
    running = await claim(capacity)
    assert running.pod != ended.pod
    await capacity.release(running.id, "ended")
    await asyncio.sleep(0.1)
    with pytest.raises(ThrottledError):
        await claim(capacity)


@pytest.mark.looptime
async def test_what_an_ending_gateway_leaves_is_taken_up(stage: Stage) -> None:
    """By the next claim of its revision; after half a minute nobody wants it."""
    capacity = stage.capacity(limit=2)
    left = [await claim(capacity, gateway="ending") for _ in range(2)]
    for lease in left:
        await capacity.release(lease.id, "handover")
    taken = await claim(capacity, gateway="g2")
    assert taken.environment in {lease.environment for lease in left}
    assert stage.compute.started == 2
    await claim(capacity, OTHER)  # at the cap: what nobody holds makes room first
    await settled()
    assert len(stage.compute.pods) == 2
    last = await claim_again(capacity, taken)
    await capacity.release(last.id, "handover")
    await asyncio.sleep(31)
    await settled()
    assert len(stage.compute.pods) == 1


async def claim_again(capacity: Capacity, lease: Lease) -> Lease:
    """Hand a lease over and claim it."""
    await capacity.release(lease.id, "handover")
    return await claim(capacity, lease.revision, gateway="g3")


async def test_what_ended_counts_until_its_pod_is_gone(stage: Stage) -> None:
    capacity = stage.capacity(limit=1)
    lease = await claim(capacity)
    stage.compute.stopping.clear()
    await capacity.release(lease.id, "ended")
    await settled()
    with pytest.raises(ThrottledError):
        await claim(capacity)
    stage.compute.stopping.set()
    await settled()
    await claim(capacity)


@pytest.mark.looptime
@pytest.mark.parametrize("left", ["idle", "parked"])
async def test_a_claim_that_waits_for_room_takes_what_idles_elsewhere(
    stage: Stage, left: str
) -> None:
    """Of its revision, as soon as it idles or its gateway ends; no pod is made then."""
    capacity = stage.capacity()
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    held = await claim(capacity, gateway="g1")
    stage.compute.gate.clear()
    waiting = asyncio.create_task(claim(capacity, gateway="g2"))
    for _ in range(6):
        await asyncio.sleep(0.5)
        assert not await stage.compute.make_space(Crowd("default", in_quota=True)), (
            "it is between two calls"
        )
    assert not waiting.done()
    if left == "idle":
        gateways.idle.add(held.id)
    else:
        await capacity.release(held.id, "handover")
        assert not await stage.compute.make_space(Crowd("default", in_quota=True)), (
            "it is kept for its revision"
        )
    lease = await waiting
    assert lease.environment == held.environment
    assert lease.epoch > held.epoch
    stage.compute.gate.set()
    await asyncio.sleep(1)
    assert stage.compute.pods == {lease.pod}, "what was begun for it is stopped"
    assert capacity.taken(CapKey("default")) == 1


@pytest.mark.looptime
async def test_what_was_begun_for_a_claim_that_was_served_otherwise_is_kept(stage: Stage) -> None:
    """Else gateways that need one more take those of each other, and each time a pod is made.

    It ends after a while where nobody wants it.
    """
    capacity = stage.capacity()
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    held = await claim(capacity, gateway="g1")
    stage.compute.gate.clear()
    waiting = [asyncio.create_task(claim(capacity, gateway="g2")) for _ in range(PER_NODE)]
    await asyncio.sleep(1)
    gateways.idle.add(held.id)
    (served,), _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert served.result().environment == held.environment
    stage.compute.gate.set()
    await asyncio.gather(*waiting)
    await asyncio.sleep(1)
    assert len(stage.compute.pods) == stage.compute.started == 1 + PER_NODE
    await asyncio.sleep(PARKED_SECONDS - 2)
    lease = await claim(capacity, gateway="g1")
    assert stage.compute.started == 1 + PER_NODE, "the one that was kept is taken"
    assert capacity.taken(CapKey("default")) == 1 + PER_NODE
    await capacity.release(lease.id, "handover")
    await asyncio.sleep(PARKED_SECONDS + 1)
    assert len(stage.compute.pods) == PER_NODE


@pytest.mark.looptime
async def test_a_claim_that_waits_where_there_is_room_takes_nothing_from_others(
    stage: Stage,
) -> None:
    """A pod that takes its time is no reason."""
    capacity = stage.capacity()
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    held = await claim(capacity, gateway="g1")
    gateways.idle.add(held.id)
    stage.compute.gate.clear()
    waiting = asyncio.create_task(claim(capacity, gateway="g2"))
    await asyncio.sleep(3)
    assert not waiting.done()
    stage.compute.gate.set()
    assert (await waiting).pod != held.pod


@pytest.mark.looptime
async def test_who_is_refused_a_pod_gets_what_idles_elsewhere_in_a_moment(stage: Stage) -> None:
    """Of its revision; a function that has an environment anywhere is not throttled for room."""
    capacity = stage.capacity()
    gateways = FakeGateways(capacity)
    capacity.ask(gateways)
    held = await claim(capacity, gateway="g1")
    stage.compute.crowded = True
    refused = asyncio.create_task(claim(capacity, gateway="g2"))
    await asyncio.sleep(0.2)
    gateways.idle.add(held.id)
    assert (await refused).environment == held.environment
    with pytest.raises(ThrottledError):
        await claim(capacity, gateway="g3")
    assert capacity.taken(CapKey("default")) == 1


@pytest.mark.looptime
async def test_what_an_ended_gateway_left_makes_room_after_a_while(stage: Stage) -> None:
    """Its calls go to another gateway, which claims it in a moment; if none does, it may go."""
    capacity = stage.capacity()
    held = await claim(capacity)
    await capacity.release(held.id, "handover")
    assert not await stage.compute.make_space(Crowd("default", in_quota=True))
    await asyncio.sleep(KEPT_SECONDS + 0.1)
    assert await stage.compute.make_space(Crowd("default", in_quota=True))


class LeaseTable(RuleBasedStateMachine):
    """Whatever happens: never above a cap, never one environment to two gateways.

    The first function may be provisioned, and its environments may take two calls each, which count
    as two; environments of the other share pods.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = self.loop.run_until_complete(make_stage())
        self.limit = 4
        self.run(share_pods(self.stage, "other", 3))
        self.run(self.begin())
        self.following = self.loop.create_task(self.stage.cache.run())
        self.run(self.stage.caps.synced.wait())
        self.reserved: int | None = None

    @initialize(calls=st.integers(1, 2))
    def choose(self, calls: int) -> None:
        self.run(take_calls(self.stage, "f", calls))

    async def begin(self) -> None:
        self.capacity = self.stage.capacity(limit=self.limit)
        self.gateways = FakeGateways(self.capacity)
        self.capacity.ask(self.gateways)

    def teardown(self) -> None:
        self.following.cancel()
        self.loop.run_until_complete(asyncio.gather(self.following, return_exceptions=True))
        self.run(self.capacity.close())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def run(self, work: object) -> object:
        async def both() -> object:
            result = await work  # type: ignore[misc]  # always a coroutine
            await settled()
            return result

        return self.loop.run_until_complete(both())

    def held(self) -> list[Lease]:
        return [entry.lease for entry in self.capacity._table.entries()]

    def _claim(self, revision: RevisionKey, gateway: str) -> None:
        with contextlib.suppress(ThrottledError):
            self.run(claim(self.capacity, revision, gateway))

    @rule()
    def claim_for_one(self) -> None:
        self._claim(REVISION, "g1")

    @rule()
    def claim_for_the_other(self) -> None:
        self._claim(REVISION, "g2")

    @rule()
    def claim_another_function(self) -> None:
        self._claim(OTHER, "g2")

    @rule(count=st.integers(0, 2))
    def want_provisioned(self, count: int) -> None:
        self.stage.stock.want({REVISION: count})

    @rule()
    def keep_provisioned(self) -> None:
        decision = self.stage.stock.decide(REVISION)
        for _ in range(decision.start):
            with contextlib.suppress(ThrottledError):
                self.run(self.capacity.provision(REVISION, seconds=5))
        self.run(self._end_provisioned(decision.stop))
        self.run(self.capacity.give_way(REVISION))

    async def _end_provisioned(self, count: int) -> None:
        for _ in range(count):
            self.capacity.unprovision(REVISION)

    @precondition(lambda self: self.held())
    @rule()
    def become_idle(self) -> None:
        self.gateways.idle.add(self.held()[0].id)

    @precondition(lambda self: self.held())
    @rule()
    def release(self) -> None:
        self.run(self.capacity.release(self.held()[-1].id, "idle"))

    @precondition(lambda self: self.held())
    @rule()
    def hand_over(self) -> None:
        self.run(self.capacity.release(self.held()[-1].id, "handover"))

    @precondition(lambda self: self.stage.compute.pods)
    @rule()
    def lose_a_pod(self) -> None:
        self.run(self.stage.compute.lose(min(self.stage.compute.pods)))

    @rule()
    def reserve_some(self) -> None:
        self.reserved = 2
        self.run(reserve(self.stage, 2))

    @rule()
    def reserve_none(self) -> None:
        self.reserved = None
        self.run(reserve(self.stage, None))

    @invariant()
    def never_above_a_cap(self) -> None:
        ready = [REVISION] * self.stage.stock.ready(REVISION)
        there = [lease.revision for lease in self.held()] + ready
        assert len(there) <= self.limit
        if self.reserved is not None:
            assert there.count(REVISION) <= self.reserved
            assert there.count(OTHER) <= self.limit - self.reserved

    @invariant()
    def no_environment_is_held_twice(self) -> None:
        environments = [lease.environment for lease in self.held()]
        assert len(set(environments)) == len(environments)

    @invariant()
    def every_pod_is_somebodys(self) -> None:
        assert self.stage.compute.pods == {
            *(lease.pod for lease in self.held()), *self.stage.stock.pods(),
        }  # fmt: skip


TestLeaseTable = LeaseTable.TestCase
TestLeaseTable.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
