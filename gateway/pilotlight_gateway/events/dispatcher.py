"""Works off the queue: leases events that are due, has them handled, and settles what became of it.

One task an event, in a bounded number of slots, of which no function gets more than half: one that
runs for minutes leaves room for the others. `handler` works on a single event.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError, UnavailableError
from pilotlight_gateway.event_queue.interface import FunctionKey, StaleLeaseError

from .destinations.router import Destinations
from .handler import EventHandler
from .pace import LEAST, REST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.aws.credentials import AwsCredentials
    from pilotlight_gateway.event_queue.interface import EventLease, EventQueue, Settlement
    from pilotlight_gateway.invocation.invoker import Invoker
    from pilotlight_gateway.invocation.targets import Targets
    from pilotlight_gateway.settings import Settings

    from .metrics import EventMetrics
    from .pace import Pace

__all__ = ["EventDispatcher"]

SLOTS = 128
"""Events that one gateway works on at a time."""
LARGEST_LEASE = 64
"""Events that are leased at once."""
LONGEST_SLEEP = 5.0
"""Seconds after which the queue is looked at even if nobody said that anything came."""
SHORTEST_SLEEP = 0.01
AWAY_SECONDS = 1.0
"""Seconds before a queue that is away is asked again."""

log = structlog.get_logger()


class EventDispatcher:
    """Tries events until each has ended."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name
        self,
        *,
        invoker: Invoker,
        targets: Targets,
        queue: EventQueue,
        metrics: EventMetrics,
        settings: Settings,
        credentials: AwsCredentials,
        pace: Pace,
        clock: Callable[[], float] = time.time,
        slots: int = SLOTS,
    ) -> None:
        self._queue = queue
        self._destinations = Destinations(settings, invoker, credentials)
        self._handler = EventHandler(
            invoker=invoker, targets=targets, queue=queue, destinations=self._destinations,
            metrics=metrics, region=settings.region, clock=clock,
        )  # fmt: skip
        self._pace = pace
        self._clock = clock
        self._slots = slots
        self._working: dict[asyncio.Task[None], FunctionKey] = {}
        self._freed = asyncio.Event()
        self._closing = False

    async def run(self) -> None:
        """Work until it is closed."""
        while not self._closing:
            try:
                if not await self._begin():
                    await self._sleep()
            except PilotlightError as error:
                log.warning("event queue is away", error=str(error))
                await asyncio.sleep(AWAY_SECONDS)
            except Exception:
                # Whatever it was, events are still owed.
                log.exception("events could not be leased")
                await asyncio.sleep(AWAY_SECONDS)

    async def close(self, *, drain_seconds: float) -> None:
        """Lease nothing more and let what is being worked on end.

        What does not end in time is tried again by others when its lease has ended.
        """
        self._closing = True
        if self._working:
            await asyncio.wait(list(self._working), timeout=drain_seconds)
        for task in list(self._working):
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self._destinations.close()

    async def _begin(self) -> int:
        """Lease what is due, as far as there are slots, and begin to work on it."""
        if self._pace.busy:
            await asyncio.sleep(REST_SECONDS)
        free = self._slots - len(self._working)
        if free <= 0:
            await self._wait_for_a_slot()
            return 1
        leases = await self._queue.lease(
            min(free, LEAST if self._pace.busy else LARGEST_LEASE),
            self._clock(),
            most=max(1, self._slots // 2),
            holding=Counter(self._working.values()),
        )
        for lease in leases:
            task = asyncio.create_task(self._work_on(lease))
            self._working[task] = lease.event.function_key
            task.add_done_callback(self._finished)
        return len(leases)

    async def _sleep(self) -> None:
        """Wait until something may be due."""
        due = await self._queue.next_due()
        seconds = LONGEST_SLEEP if due is None else due - self._clock()
        if seconds <= 0 and self._working:
            # What is due belongs to functions that have their share of the slots.
            await self._wait_for_a_slot()
        else:
            await self._queue.wait(min(max(seconds, SHORTEST_SLEEP), LONGEST_SLEEP))

    async def _wait_for_a_slot(self) -> None:
        self._freed.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._freed.wait(), LONGEST_SLEEP)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._working[task]
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("event could not be worked on", error=repr(error))

    async def _work_on(self, lease: EventLease) -> None:
        event = lease.event
        if lease.redelivered:
            log.warning("event is leased again", request_id=event.id, epoch=lease.epoch)
        try:
            lease, settlement = await self._handler.handle(lease)
            await self._settle(lease, settlement)
            self._handler.settled(event, settlement)
        except StaleLeaseError as error:
            log.warning("lease was lost", request_id=event.id, error=str(error))

    async def _settle(self, lease: EventLease, settlement: Settlement) -> None:
        """Settle, for as long as the lease may be in force and the queue is away."""
        while True:
            try:
                await self._queue.settle(lease, settlement)
            except UnavailableError as error:
                if self._clock() >= lease.until:
                    raise
                log.warning("event not settled", request_id=lease.event.id, error=str(error))
                await asyncio.sleep(AWAY_SECONDS)
            else:
                return
