"""What metrics say of the queue: looked at when asked, not too often, and told if nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from pilotlight.errors import UnavailableError
from pilotlight_gateway.events.backlog import SAMPLE_SECONDS, Backlog
from pilotlight_gateway.events.metrics import EventMetrics
from tests.support.events import event
from tests.support.memory_event_queue import MemoryEventQueue

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Counts, FunctionKey


class Queue(MemoryEventQueue):
    """A queue that may be away, and counts who asks."""

    away = False
    asked = 0

    async def counts(self, function: FunctionKey | None = None) -> Counts:
        """Count, or fail."""
        self.asked += 1
        if self.away:
            raise UnavailableError("the database is away")
        return await super().counts(function)


class Looking:
    """A backlog, its queue and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.queue = Queue()
        self.registry = CollectorRegistry()
        self.backlog = Backlog(self.queue, EventMetrics(self.registry), lambda: self.now)

    def shown(self, name: str, **labels: str) -> float | None:
        """Return what the page shows."""
        return self.registry.get_sample_value(f"pilotlight_{name}", labels)


async def test_it_tells_how_much_waits_and_for_how_long() -> None:
    looking = Looking()
    await looking.queue.enqueue(event("1", at=940.0), event("2", at=990.0))
    await looking.queue.enqueue(event("later", at=2000.0))
    await looking.backlog.measure()
    assert looking.shown("async_queued_events", state="waiting") == 3
    assert looking.shown("async_queued_events", state="in_flight") == 0
    assert looking.shown("async_longest_overdue_seconds") == 60
    assert looking.shown("database_up") == 1


async def test_it_asks_no_more_often_than_it_must() -> None:
    looking = Looking()
    for _ in range(5):
        await looking.backlog.measure()
    assert looking.queue.asked == 1
    looking.now += SAMPLE_SECONDS
    await looking.backlog.measure()
    assert looking.queue.asked == 2


async def test_a_database_that_is_away_is_told_and_so_is_its_return() -> None:
    looking = Looking()
    looking.queue.away = True
    await looking.backlog.measure()
    assert looking.shown("database_up") == 0
    assert looking.shown("async_queued_events", state="waiting") is None
    looking.queue.away = False
    looking.now += SAMPLE_SECONDS
    await looking.backlog.measure()
    assert looking.shown("database_up") == 1
    assert looking.shown("async_longest_overdue_seconds") == 0
