"""The scheduler with a queue and a store in memory: restarts, two gateways, failures, statuses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.errors import UnavailableError
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import (
    Code,
    Function,
    FunctionAlias,
    FunctionSpec,
    FunctionVersion,
    Key,
    Namespace,
    ObjectMeta,
    PolicyStatement,
    Schedule,
    ScheduleSpec,
)
from pilotlight_gateway.invocation.catalogue import Catalogue
from pilotlight_gateway.invocation.invoker import LONGEST_TIMEOUT, Invoker
from pilotlight_gateway.invocation.published import Published
from pilotlight_gateway.invocation.targets import Targets
from pilotlight_gateway.metrics import Metrics
from pilotlight_gateway.schedules.scheduler import Scheduler
from tests.support.memory import MemoryResources
from tests.support.memory_event_queue import MemoryEventQueue

if TYPE_CHECKING:
    from pilotlight.storage import ResourceStore
    from pilotlight_gateway.event_queue.interface import Event

KEY = Key("default", "s")
MADE = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    now = MADE

    def __call__(self) -> datetime:
        return self.now


class Queue:
    """The queue's door, which can be shut; what is new is written down."""

    def __init__(self) -> None:
        self.inner = MemoryEventQueue()
        self.events: list[Event] = []
        self.shut = False
        self.came = asyncio.Event()

    async def enqueue(self, *events: Event) -> list[bool]:
        if self.shut:
            raise UnavailableError("the queue is away")
        new = await self.inner.enqueue(*events)
        self.events += [event for event, is_new in zip(events, new, strict=True) if is_new]
        self.came.set()
        return new

    @property
    def keys(self) -> list[str]:
        return [event.dedup_key.partition("/")[2] for event in self.events]


class World:
    """A store, a queue and a clock; schedulers come and go."""

    def __init__(self) -> None:
        self.queue, self.clock = Queue(), Clock()
        self.store = MemoryResources()
        self.cache = Cache(
            self.store, Namespace, Function, FunctionVersion, FunctionAlias, Schedule
        )
        self.catalogue = Catalogue(self.cache)
        self.metrics = Metrics()
        self.invoker = Invoker(
            targets=Targets(self.catalogue, Published(self.cache)),
            dispatcher=None,  # type: ignore[arg-type]  # a schedule waits for no answer
            queue=self.queue,
            metrics=self.metrics.invocations,
            clock=lambda: self.clock().timestamp(),
        )

    @property
    def resources(self) -> ResourceStore:
        """The store; what is written the cache knows."""
        return self.cache.resources

    async def start(self, *, with_function: bool = True) -> None:
        labels = {ACCOUNT_LABEL: "111122223333"}
        await self.resources.create(Namespace(metadata=ObjectMeta(name="default", labels=labels)))
        if with_function:
            spec = FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"))
            metadata = ObjectMeta(name="fn", namespace="default")
            await self.resources.create(Function(metadata=metadata, spec=spec))
            assert await self.catalogue.find("default", "fn")
        self.cache.mark_synced(*self.cache.kinds)  # nothing else is there

    async def put(self, **spec: Any) -> Schedule:
        """Make the schedule, or change it."""
        document = {"expression": "rate(10 minutes)", "function": "fn:prod", **spec}
        wanted = ScheduleSpec.model_validate(document)
        present = await self.resources.list(Schedule)
        if present:
            return await self.resources.replace(present[0].model_copy(update={"spec": wanted}))
        metadata = ObjectMeta(name="s", namespace="default")
        made = await self.store.create(Schedule(metadata=metadata, spec=wanted))
        made.metadata.creation_timestamp = "2026-01-01T00:00:00Z"
        return await self.resources.replace(made)

    async def scheduler(self) -> Scheduler:
        """Start a scheduler that knows what is stored."""
        return Scheduler(
            cache=self.cache, catalogue=self.catalogue, accounts=Accounts(self.cache),
            invoker=self.invoker, metrics=self.metrics.schedules, region="us-east-1",
            clock=self.clock,
        )  # fmt: skip

    async def look(self, scheduler: Scheduler, minutes: float) -> datetime | None:
        self.clock.now = MADE + timedelta(minutes=minutes)
        return await scheduler.look(self.clock.now)

    async def stored(self) -> Schedule:
        return await self.resources.get(Schedule, KEY)

    async def reason(self) -> str:
        ready = (await self.stored()).condition("Ready")
        assert ready is not None
        return ready.reason


@pytest.fixture
async def world() -> World:
    found = World()
    await found.start()
    return found


async def test_a_firing_is_an_event_of_the_function(world: World) -> None:
    await world.put(input='{"at": "<aws.scheduler.scheduled-time>"}', maximumEventAge=120)
    scheduler = await world.scheduler()
    await world.look(scheduler, 1)
    assert world.queue.events == []
    wake_at = await world.look(scheduler, 10.5)
    assert wake_at == MADE + timedelta(minutes=20)
    (event,) = world.queue.events
    assert (event.account, event.namespace) == ("111122223333", "default")
    assert (event.function, event.qualifier) == ("fn", "prod")
    assert event.payload == b'{"at": "2026-01-01T00:10:00Z"}'
    assert event.expires_at == (MADE + timedelta(minutes=12)).timestamp()
    assert event.hold_seconds == LONGEST_TIMEOUT + 90  # the alias is not there
    text = world.metrics.render().decode()
    labels = 'function="fn",namespace="default",version="prod"'
    assert f"pilotlight_schedule_lag_seconds_sum{{{labels}}} 30.0" in text


async def test_a_function_that_is_not_there_may_still_come(world: World) -> None:
    await world.put(function="later")
    await world.look(await world.scheduler(), 10)
    (event,) = world.queue.events
    assert (event.function, event.qualifier) == ("later", "")
    assert event.hold_seconds > LONGEST_TIMEOUT


async def test_a_policy_denies_a_schedule_by_its_arn(world: World) -> None:
    """Its times pass without an event, and it says why; it fires again once nothing denies it."""
    function = await world.resources.get(Function, Key("default", "fn"))
    denies = PolicyStatement(
        sid="one", effect="Deny", principals={"Service": ["scheduler.amazonaws.com"]},
        actions=["lambda:InvokeFunction"],
        conditions={"ArnLike": {"aws:SourceArn": ["arn:aws:scheduler:*:*:schedule/default/s"]}},
    )  # fmt: skip
    denied = {"spec": function.spec.model_copy(update={"policy": [denies]})}
    denied_function = await world.resources.replace(function.model_copy(update=denied))
    await world.put(function="fn")
    scheduler = await world.scheduler()
    await world.look(scheduler, 10)
    assert (world.queue.events, await world.reason()) == ([], "AccessDenied")
    assert (await world.stored()).status.last_time is None
    allowed = {"spec": function.spec}
    await world.resources.replace(denied_function.model_copy(update=allowed))
    await world.look(scheduler, 21)
    assert (world.queue.keys, await world.reason()) == (["2026-01-01T00:20:00Z"], "Scheduled")


async def test_a_lease_lasts_as_long_as_the_function_may_run(world: World) -> None:
    await world.put(function="fn")
    await world.look(await world.scheduler(), 10)
    (event,) = world.queue.events
    assert event.hold_seconds == 3 + 90


async def test_a_restart_neither_repeats_nor_loses(world: World) -> None:
    await world.put()
    await world.look(await world.scheduler(), 10)
    await world.look(await world.scheduler(), 11)
    await world.look(await world.scheduler(), 35)  # down while 20 and 30 were due
    await world.look(await world.scheduler(), 36)
    assert world.queue.keys == ["2026-01-01T00:10:00Z", "2026-01-01T00:30:00Z"]


async def test_a_process_that_dies_before_it_notes_a_firing(world: World) -> None:
    await world.put()
    unnoted = await world.stored()
    await world.look(await world.scheduler(), 10)
    await world.resources.write_status(unnoted)
    await world.look(await world.scheduler(), 12)
    assert world.queue.keys == ["2026-01-01T00:10:00Z"]
    assert (await world.stored()).status.done_until == "2026-01-01T00:10:00Z"


async def test_two_gateways_fire_once(world: World) -> None:
    await world.put()
    one, two = await world.scheduler(), await world.scheduler()
    for minute in (10, 20, 30):
        world.clock.now = MADE + timedelta(minutes=minute)
        await asyncio.gather(one.look(world.clock.now), two.look(world.clock.now))
    assert len(world.queue.events) == 3


async def test_a_queue_that_is_away_makes_it_late_not_lost(world: World) -> None:
    await world.put()
    scheduler = await world.scheduler()
    world.queue.shut = True
    assert await world.look(scheduler, 10) == world.clock.now  # soon again
    assert (await world.stored()).status.last_time is None
    world.queue.shut = False
    await world.look(scheduler, 11)
    assert world.queue.keys == ["2026-01-01T00:10:00Z"]
    assert (await world.stored()).status.last_time == "2026-01-01T00:10:00Z"


async def test_a_change_fires_nothing_of_the_past(world: World) -> None:
    await world.put(expression="cron(0 12 * * ? *)")
    scheduler = await world.scheduler()
    await world.look(scheduler, 13 * 60)
    world.clock.now = MADE + timedelta(hours=16)
    await world.put(expression="cron(0 15 * * ? *)")
    await world.look(scheduler, 16 * 60)
    await world.look(await world.scheduler(), 17 * 60)
    assert world.queue.keys == ["2026-01-01T12:00:00Z"]
    await world.look(scheduler, 39 * 60)
    assert world.queue.keys == ["2026-01-01T12:00:00Z", "2026-01-02T15:00:00Z"]


async def test_what_was_due_while_disabled_stays_unfired(world: World) -> None:
    await world.put(enabled=False)
    scheduler = await world.scheduler()
    await world.look(scheduler, 15)
    assert await world.reason() == "Disabled"
    await world.put(enabled=True)
    await world.look(scheduler, 16)
    assert world.queue.events == []
    assert await world.reason() == "Scheduled"
    await world.look(scheduler, 20)
    assert world.queue.keys == ["2026-01-01T00:20:00Z"]


async def test_statuses(world: World) -> None:
    await world.put(expression="at(2026-01-01T00:30:00)")
    scheduler = await world.scheduler()
    await world.look(scheduler, 1)
    assert (await world.stored()).status.next_time == "2026-01-01T00:30:00Z"
    await world.look(scheduler, 31)
    status = (await world.stored()).status
    assert (status.last_time, status.next_time) == ("2026-01-01T00:30:00Z", None)
    assert await world.reason() == "Completed"
    await world.put(expression="at(2020-01-01T00:00:00)", function="nobody")
    await world.look(scheduler, 32)
    assert await world.reason() == "FunctionNotFound"


async def test_a_time_that_is_only_past_never_fires(world: World) -> None:
    await world.put(expression="cron(0 0 1 1 ? 2020)")
    await world.look(await world.scheduler(), 1)
    assert await world.reason() == "NeverFires"


async def test_what_kubectl_let_through_is_told_and_harms_nobody(world: World) -> None:
    await world.put()
    spec = ScheduleSpec(expression="cron(0 0 31 2 ? *)", function="fn")
    metadata = ObjectMeta(name="bad", namespace="default")
    await world.resources.create(Schedule(metadata=metadata, spec=spec))
    await world.look(await world.scheduler(), 10)
    assert world.queue.keys == ["2026-01-01T00:10:00Z"]
    bad = await world.resources.get(Schedule, Key("default", "bad"))
    ready = bad.condition("Ready")
    assert ready is not None
    assert (ready.reason, "never fires" in ready.message) == ("Invalid", True)


async def test_a_settled_schedule_is_not_written_again(world: World) -> None:
    await world.put()
    scheduler = await world.scheduler()
    await world.look(scheduler, 1)
    writes = world.store.writes.count
    await world.look(scheduler, 2)
    await world.look(scheduler, 3)
    assert world.store.writes.count == writes


async def test_it_follows_the_store_and_wakes_by_itself(world: World) -> None:
    world.catalogue.synced.set()
    scheduler = await world.scheduler()
    running = asyncio.create_task(scheduler.run())
    world.clock.now = MADE + timedelta(minutes=10)
    await world.put()
    try:
        async with asyncio.timeout(10):
            await world.queue.came.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert world.queue.keys == ["2026-01-01T00:10:00Z"]
