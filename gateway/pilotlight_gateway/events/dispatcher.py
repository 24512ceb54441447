"""Works off the queue: leases events that are due, has them handled, and settles what became of it.

One task an event, in a bounded number of slots, of which no function gets more than half: one that
runs for minutes leaves room for the others. How many a function gets at once is `concurrency`'s;
`handler` works on a single event.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError, UnavailableError
from pilotlight_gateway.event_queue.interface import FunctionKey, StaleLeaseError

from .concurrency import Concurrencies, Place
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
LEASING_SECONDS = 1.0
"""How long an end waits for the queue's answer: milliseconds, unless the queue is away."""
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
        self._concurrencies = Concurrencies(max(1, slots // 2))
        self._working: dict[asyncio.Task[None], FunctionKey] = {}
        self._freed = asyncio.Event()
        self._roomier = asyncio.Event()
        """Whether a function has room since it was looked last."""
        self._leasing = asyncio.Lock()
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
        with suppress(TimeoutError):
            async with asyncio.timeout(min(LEASING_SECONDS, drain_seconds)), self._leasing:
                pass  # what is just being leased is worked on, too
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
            self._freed.clear()
            await self._freed.wait()
            return 1
        async with self._leasing:
            return 0 if self._closing else await self._lease(free)

    async def _lease(self, free: int) -> int:
        self._roomier.clear()
        now = self._clock()
        leases = await self._queue.lease(
            min(free, LEAST if self._pace.busy else LARGEST_LEASE), now,
            room=self._concurrencies.rooms(set(self._working.values())),
        )  # fmt: skip
        for lease in leases:
            concurrency = self._concurrencies.of(lease.event.function_key)
            place = Place(concurrency, lease, now, self._roomier.set)
            task = asyncio.create_task(self._work_on(lease, place))
            self._working[task] = lease.event.function_key
            task.add_done_callback(self._finished)
        return len(leases)

    async def _sleep(self) -> None:
        """Wait until something may be due, or there may be room for what is."""
        due = await self._queue.next_due()
        seconds = LONGEST_SLEEP if due is None else due - self._clock()
        if seconds > 0:
            await self._queue.wait(min(max(seconds, SHORTEST_SLEEP), LONGEST_SLEEP))
        else:
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        """Wait, for what is due belongs to functions that have as much in work as they may."""
        seconds = self._concurrencies.seconds_until_more(set(self._working.values()))
        arrived = self._queue.wait(min(max(seconds, SHORTEST_SLEEP), LONGEST_SLEEP))
        waits = [asyncio.ensure_future(one) for one in (arrived, self._roomier.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._working[task]
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("event could not be worked on", error=repr(error))

    async def _work_on(self, lease: EventLease, place: Place) -> None:
        event = lease.event
        if lease.redelivered:
            log.warning("event is leased again", request_id=event.id, epoch=lease.epoch)
        try:
            try:
                lease, settlement = await self._handler.handle(lease, place)
            finally:
                place.leave()
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
