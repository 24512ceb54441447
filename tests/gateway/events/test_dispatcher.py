"""A gateway that ends: what it has leased by then, or just leases, is worked on and settled."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from pilotlight_gateway.event_queue.interface import Done
from pilotlight_gateway.events.dispatcher import EventDispatcher
from pilotlight_gateway.events.metrics import EventMetrics
from pilotlight_gateway.events.pace import Pace
from pilotlight_gateway.settings import Settings
from tests.support.events import event
from tests.support.memory_event_queue import MemoryEventQueue

if TYPE_CHECKING:
    import pytest

    from pilotlight_gateway.event_queue.interface import EventLease, Settlement


class SlowQueue(MemoryEventQueue):
    """One that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.leased, self.answers = asyncio.Event(), asyncio.Event()

    async def lease(self, *args: Any, **options: Any) -> list[EventLease]:
        leases = await super().lease(*args, **options)
        if leases:
            self.leased.set()
            await self.answers.wait()
        return leases


class Doing:
    """Handles events by doing nothing."""

    async def handle(self, lease: EventLease, _: object) -> tuple[EventLease, Settlement]:
        return lease, Done()

    def settled(self, *_: object) -> None:
        """Take note of nothing."""


def dispatcher_of(queue: MemoryEventQueue) -> Any:
    """Make one that handles nothing but events."""
    nobody: Any = None
    dispatcher: Any = EventDispatcher(
        invoker=nobody, targets=nobody, queue=queue, credentials=nobody, pace=Pace(lambda: 0),
        metrics=EventMetrics(CollectorRegistry()), settings=Settings("us-east-1", b"key"),
    )  # fmt: skip
    dispatcher._handler = Doing()
    return dispatcher


async def test_what_is_being_leased_as_it_ends_is_worked_on() -> None:
    """Nobody else would before its lease has ended, a minute later."""
    queue = SlowQueue()
    await queue.enqueue(event("late", at=time.time()))
    dispatcher = dispatcher_of(queue)
    running = asyncio.create_task(dispatcher.run())
    await queue.leased.wait()
    closing = asyncio.create_task(dispatcher.close(drain_seconds=30.0))
    await asyncio.sleep(0)
    queue.answers.set()
    await closing
    running.cancel()
    counts = await queue.counts()
    assert (counts.done, counts.in_flight) == (1, 0)


async def test_nothing_is_leased_once_it_has_ended() -> None:
    """Not even by who rested for clients' sake as it was told to end."""
    queue = SlowQueue()
    dispatcher = dispatcher_of(queue)
    dispatcher._pace.busy = True
    running = asyncio.create_task(dispatcher.run())
    await asyncio.sleep(0)
    await dispatcher.close(drain_seconds=30.0)
    await queue.enqueue(event("later", at=time.time()))
    await running
    assert not queue.leased.is_set()


async def test_a_queue_that_is_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked it to end waits for that."""
    monkeypatch.setattr("pilotlight_gateway.events.dispatcher.LEASING_SECONDS", 0.01)
    queue = SlowQueue()
    await queue.enqueue(event("never", at=time.time()))
    dispatcher = dispatcher_of(queue)
    running = asyncio.create_task(dispatcher.run())
    await queue.leased.wait()
    async with asyncio.timeout(10.0):
        await dispatcher.close(drain_seconds=30.0)
    running.cancel()
