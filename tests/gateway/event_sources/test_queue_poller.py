"""What a queue's poller does beside its contract: memory, room and what it asks for. No network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.budget import ByteBudget
from pilotlight.patterns import SQS, compile_filters
from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta
from pilotlight_gateway.event_sources.queue import RECORDS, Message
from pilotlight_gateway.event_sources.queue_poller import QueuePoller
from pilotlight_gateway.event_sources.source import HeldShard
from pilotlight_gateway.events.attempt import Ran
from pilotlight_gateway.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilotlight_gateway.event_sources.source import PolledMapping

ARN = "arn:aws:sqs:us-east-1:000000000000:q"


@dataclass
class StubQueue:
    """A queue that has what a test puts into it."""

    waiting: list[Message] = field(default_factory=list)
    received: int = 0
    asked: list[float] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    visibility: float = 1000.0
    largest_receive: int = 10
    frame: tuple[bytes, bytes] = RECORDS
    knows_long_polls: bool = True
    failure: Exception | None = None

    async def receive(self, most: int, wait_seconds: float) -> list[Message]:
        self.asked.append(wait_seconds)
        if self.failure is not None:
            raise self.failure
        found, self.waiting = self.waiting[:most], self.waiting[most:]
        if not found:
            await asyncio.sleep(wait_seconds if self.knows_long_polls else 0)
        self.received += len(found)
        return found

    async def delete(self, messages: Sequence[Message]) -> None:
        self.deleted += [one.id for one in messages]

    async def give_back(self, messages: Sequence[Message], seconds: float) -> None:
        del messages, seconds

    async def hide(self, messages: Sequence[Message], seconds: float) -> None:
        del messages, seconds


class World:
    """A poller of one queue, whose function ends when the test lets it."""

    def __init__(self, messages: int, size: int, budget: int, **spec: Any) -> None:
        self.queue = StubQueue([Message(str(at), "h", {"b": "x" * size}) for at in range(messages)])
        self.budget = ByteBudget(budget)
        self.go = asyncio.Event()
        self.begun = 0
        self.stopping = asyncio.Event()
        given = EventSourceMappingSpec(function="f", event_source_arn=ARN, **spec)
        mapping = EventSourceMapping(metadata=ObjectMeta(name="m", namespace="n"), spec=given)
        settings = SimpleNamespace(longest_poll=20.0)
        polled = SimpleNamespace(
            mapping=mapping, filters=compile_filters([], SQS), invoke=self._invoke,
            batch_size=10, window=0,
            metrics=Metrics().event_sources.of("n", "m", "f"),
            services=SimpleNamespace(settings=settings, polled_bytes=self.budget),
        )  # fmt: skip
        self._poller = QueuePoller(
            cast("PolledMapping", polled), self.queue,
            clock=asyncio.get_running_loop().time,
        )  # fmt: skip
        lease: Any = None
        self._shard = HeldShard(
            lease, lease, report=lambda _: None, trouble=lambda _: None, stopping=self.stopping
        )

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._poller.run(self._shard))

    async def _invoke(self, event: bytes) -> Ran:
        del event
        self.begun += 1
        await self.go.wait()
        return Ran(b"null", "$LATEST")


async def settled(world: World) -> None:
    """Let everything run that can."""
    del world
    for _ in range(200):
        await asyncio.sleep(0)


async def test_it_holds_no_more_than_the_gateways_memory_for_records() -> None:
    """Its account's share is a quarter; the rest waits in the receivers, and all is given back."""
    world = World(messages=100, size=1000, budget=100_000)
    task = world.start()
    await settled(world)
    assert 75_000 <= world.budget.left < 76_100
    assert world.queue.received < 100
    world.go.set()
    world.stopping.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.budget.left == 100_000


async def test_it_receives_only_while_a_batch_more_may_run() -> None:
    """Five batches at first; the rest stays in the queue, visible to others."""
    world = World(messages=200, size=10, budget=1 << 20)
    task = world.start()
    await settled(world)
    assert world.begun == 5
    assert world.queue.received <= 60
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.looptime
async def test_an_idle_queue_is_asked_once_in_a_long_poll() -> None:
    """By one receiver, however many a backlog had."""
    world = World(messages=130, size=10, budget=1 << 20)
    world.go.set()
    task = world.start()
    await asyncio.sleep(30)
    assert len(world.queue.deleted) == 130
    world.queue.asked.clear()
    await asyncio.sleep(100)
    assert world.queue.asked == [20.0] * 5
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.looptime
async def test_more_run_while_a_backlog_lasts() -> None:
    """As Lambda adds up to 300 a minute, while all that may run do."""
    world = World(messages=2000, size=10, budget=1 << 20)
    task = world.start()
    await asyncio.sleep(10.5)
    assert 45 <= world.begun <= 58
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.looptime
async def test_an_empty_queue_that_answers_at_once_is_asked_once_a_second() -> None:
    """What stands in for SQS may not wait, and would keep the gateway busy."""
    world = World(messages=0, size=10, budget=1 << 20)
    world.queue.knows_long_polls = False
    task = world.start()
    await asyncio.sleep(9.5)
    assert len(world.queue.asked) == 10
    world.stopping.set()
    await task


@pytest.mark.looptime
async def test_what_nobody_foresaw_ends_the_poll_and_is_raised() -> None:
    """So that its keeper tells of it; it would look as if nothing came."""
    world = World(messages=130, size=10, budget=1 << 20)
    world.go.set()
    task = world.start()
    await asyncio.sleep(30)
    world.queue.failure = KeyError("Body")
    with pytest.raises(KeyError):
        await task
    assert world.budget.left == 1 << 20
