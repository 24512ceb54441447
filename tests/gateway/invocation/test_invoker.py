"""The one door to functions, with a dispatcher that answers at once and a queue in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.cache import Cache
from pilotlight.errors import RevisionGoneError, ThrottledError
from pilotlight.resources import (
    AsyncConfig,
    Code,
    Function,
    FunctionAlias,
    FunctionSpec,
    FunctionVersion,
    ObjectMeta,
)
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    RecursiveInvocationError,
    ResourceConflictError,
)
from pilotlight_gateway.event_queue.interface import FunctionKey
from pilotlight_gateway.invocation import invoker as module
from pilotlight_gateway.invocation.catalogue import Catalogue
from pilotlight_gateway.invocation.invocation import Answer, Invocation
from pilotlight_gateway.invocation.invoker import Invoker, hold_seconds
from pilotlight_gateway.invocation.lineage import MOST_HOPS, count_hop
from pilotlight_gateway.invocation.published import Published
from pilotlight_gateway.invocation.reference import Reference
from pilotlight_gateway.invocation.targets import Targets
from pilotlight_gateway.metrics import Metrics
from tests.support.following import following
from tests.support.memory import MemoryResources
from tests.support.memory_event_queue import MemoryEventQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.claims import RevisionKey
    from pilotlight_gateway.event_queue.interface import EventLease

REFERENCE = Reference("default", "000000000000", "us-east-1", "fn", None)
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"
INVOCATION = Invocation("r", REFERENCE.arn, ROOT, b"{}")
NOW = 1000.0


class World:
    """A function, and what stands in for environments; `ran` are the revisions that ran."""

    def __init__(self) -> None:
        self.queue, self.metrics = MemoryEventQueue(), Metrics()
        self.cache = Cache(MemoryResources(), Function, FunctionVersion, FunctionAlias)
        self.catalogue = Catalogue(self.cache)
        self.ran: list[str] = []
        self.gone: set[str] = set()
        self.refusal: Exception | None = None
        self.invoker = Invoker(
            targets=Targets(self.catalogue, Published(self.cache)),
            dispatcher=self,  # type: ignore[arg-type]  # the one method that is called
            queue=self.queue,
            metrics=self.metrics.invocations,
            clock=lambda: NOW,
        )

    async def create(self, **spec: Any) -> Function:
        """Make the function, which serves nothing yet."""
        code = Code(inline="x")
        wanted = FunctionSpec(runtime="python3.13", handler="a.b", code=code, timeout=5, **spec)
        metadata = ObjectMeta(name="fn", namespace="default")
        return await self.cache.resources.create(Function(metadata=metadata, spec=wanted))

    async def serve(self, function: Function, revision: str) -> Function:
        """Let a revision be what the function serves."""
        status = function.status.model_copy(update={"revision": revision})
        return await self.cache.resources.write_status(
            function.model_copy(update={"status": status})
        )

    async def invoke(self, revision: RevisionKey, invocation: Invocation) -> Answer:
        """Answer as the dispatcher does."""
        assert invocation is INVOCATION
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        if revision.revision in self.gone:
            raise RevisionGoneError("gone")
        self.ran.append(revision.revision)
        return Answer(b"1", 1)

    def sample(self, name: str, **labels: str) -> float | None:
        found = {"namespace": "default", "function": "fn"} | labels
        return self.metrics.registry.get_sample_value(f"pilotlight_{name}_total", found)

    async def leased(self) -> list[EventLease]:
        """Return the events that were kept."""
        return await self.queue.lease(9, NOW, room=lambda _: 9)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    async with following(found.cache):
        await found.catalogue.synced.wait()
        yield found


async def test_an_answer_says_what_ran_and_is_counted(world: World) -> None:
    await world.serve(await world.create(), "r1")
    answer = await world.invoker.invoke(REFERENCE, INVOCATION)
    assert (answer.body, answer.version, world.ran) == (b"1", "$LATEST", ["r1"])
    assert world.sample("invocations", version="$LATEST") == 1


async def test_who_knows_the_target_is_not_asked_again(world: World) -> None:
    function = await world.serve(await world.create(), "r1")
    target = await Targets(world.catalogue, Published(world.cache)).of(REFERENCE, function)
    await world.serve(function, "r2")
    await world.invoker.invoke(REFERENCE, INVOCATION, target)
    assert world.ran == ["r1"]


async def test_what_replaces_a_revision_runs_instead(world: World) -> None:
    function = await world.serve(await world.create(), "r1")
    world.gone = {"r1", "r2"}
    call = asyncio.create_task(world.invoker.invoke(REFERENCE, INVOCATION))
    for revision in ("r2", "r3"):
        await asyncio.sleep(0.01)
        assert not call.done()
        function = await world.serve(function, revision)
    async with asyncio.timeout(10):
        await call
    assert world.ran == ["r3"]


async def test_a_revision_that_nothing_replaces_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UPDATE_SECONDS", 0.02)
    await world.serve(await world.create(), "r1")
    world.gone = {"r1"}
    with pytest.raises(RevisionGoneError):
        await world.invoker.invoke(REFERENCE, INVOCATION)


async def test_a_throttle_is_counted_with_its_reason(world: World) -> None:
    await world.serve(await world.create(), "r1")
    world.refusal = ThrottledError("full", reason="Full")
    with pytest.raises(ThrottledError):
        await world.invoker.invoke(REFERENCE, INVOCATION)
    assert world.sample("throttles", version="$LATEST", reason="Full") == 1


async def test_what_serves_nothing_or_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(FunctionNotFoundError):
        await world.invoker.invoke(REFERENCE, INVOCATION)
    function = await world.create()
    target = await Targets(world.catalogue, Published(world.cache)).of(REFERENCE, function)
    with pytest.raises(ResourceConflictError, match=r"following state: Pending.*function:fn"):
        await world.invoker.invoke(REFERENCE, INVOCATION, target)


async def test_a_loop_does_not_run(world: World) -> None:
    await world.serve(await world.create(), "r1")
    trace = ROOT
    for _ in range(MOST_HOPS + 1):
        trace = count_hop(trace, REFERENCE.unqualified_arn)
    with pytest.raises(RecursiveInvocationError):
        await world.invoker.invoke(REFERENCE, replace(INVOCATION, trace_id=trace))
    assert world.ran == []


async def test_an_event_goes_by_its_functions_settings(world: World) -> None:
    await world.create(async_=AsyncConfig(maximum_event_age_in_seconds=60))
    assert await world.invoker.enqueue(REFERENCE, INVOCATION)
    (lease,) = await world.leased()
    event = lease.event
    assert (event.id, event.payload, event.trace_id) == ("r", b"{}", ROOT)
    assert (event.account, event.function_key) == ("000000000000", FunctionKey("default", "fn"))
    assert (event.enqueued_at, event.due_at, event.expires_at) == (NOW, NOW, NOW + 60)
    assert event.hold_seconds == hold_seconds(5)
    assert world.sample("async_events_received") == 1


async def test_a_key_keeps_one_event_and_one_count(world: World) -> None:
    await world.create()
    invocations = [replace(INVOCATION, request_id=one) for one in "ab"]
    kept = [await world.invoker.enqueue(REFERENCE, one, dedup_key="k") for one in invocations]
    assert kept == [True, False]
    assert world.sample("async_events_received") == 1


async def test_a_function_that_is_not_there_keeps_an_event_only_where_it_may_come(
    world: World,
) -> None:
    with pytest.raises(FunctionNotFoundError):
        await world.invoker.enqueue(REFERENCE, INVOCATION)
    assert await world.leased() == []
    assert await world.invoker.enqueue(REFERENCE, INVOCATION, expires_at=2000.0, missing_ok=True)
    (lease,) = await world.leased()
    assert (lease.event.expires_at, lease.event.hold_seconds) == (2000.0, hold_seconds(900))
