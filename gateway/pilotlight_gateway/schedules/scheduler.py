"""Fires schedules: what is due becomes an asynchronous event, at most one for each time.

Every gateway does this. The key of an event is the schedule's uid and the time, and the queue keeps
one event of a key, so neither a second gateway nor a restart fires twice. A time is done with only
once its event is on disk, so none is lost.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from pilotlight.errors import NotFoundError, PilotlightError
from pilotlight.resources import Schedule
from pilotlight.resources.schedule import parse_time
from pilotlight_gateway.events.acceptance import hold_seconds

from .decide import decide
from .event import event_of
from .status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.resources import Key, ScheduleStatus
    from pilotlight_gateway.event_queue.interface import Event
    from pilotlight_gateway.invocation.catalogue import Catalogue
    from pilotlight_gateway.metrics import Metrics

    from .decide import Firing

__all__ = ["Enqueues", "Scheduler"]

LONGEST_SLEEP = 30.0
"""Seconds, since the machine's clock may be set meanwhile."""
RETRY_SECONDS = 2.0
LONGEST_HOLD = 1000.0
"""Seconds, of an event whose function is not there; it may come."""

log = structlog.get_logger()


class Enqueues(Protocol):
    """The one side of the event queue that is needed here."""

    async def enqueue(self, *events: Event) -> list[bool]:
        """Keep events, all or none; says of each whether it is new."""
        ...


class Scheduler:
    """Follows schedules and fires them."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name
        self,
        *,
        cache: Cache,
        catalogue: Catalogue,
        accounts: Accounts,
        queue: Enqueues,
        metrics: Metrics,
        region: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache = cache
        self._catalogue = catalogue
        self._accounts = accounts
        self._queue = queue
        self._metrics = metrics
        self._region = region
        self._clock = clock
        self._problems: dict[Key, str] = {}
        self._done_until: dict[str, datetime] = {}
        self._changed = asyncio.Event()
        cache.on_change(Schedule, self._schedule_changed)

    async def run(self) -> None:
        """Fire, for ever."""
        await self._cache.synced.wait()
        while True:
            self._changed.clear()
            await self._sleep(await self._look_safely())

    async def look(self, now: datetime) -> datetime | None:
        """Fire what is due, write what is known; gives when something will be due."""
        sound = [one for one in self._cache.all(Schedule) if one.key not in self._problems]
        decision = decide(now, sound, self._done_until)
        failed = False
        for firing in decision.firings:
            failed |= not await self._fire(firing, now)
        for schedule in self._cache.all(Schedule):
            await self._write(schedule, now)
        if failed:
            return now
        return decision.wake_at

    async def _look_safely(self) -> datetime | None:
        """Look; whatever goes wrong with one schedule, all are looked at again."""
        now = self._clock()
        try:
            return await self.look(now)
        except Exception:
            log.exception("schedules not looked at")
            return now

    def _schedule_changed(self, before: Schedule | None, after: Schedule | None) -> None:
        if after is not None:
            self._know(after)
        elif before is not None:
            self._problems.pop(before.key, None)
            self._done_until.pop(before.metadata.uid, None)
        self._changed.set()

    def _know(self, schedule: Schedule) -> None:
        """Take note of a schedule as it is stored."""
        status, uid = schedule.status, schedule.metadata.uid
        self._problems.pop(schedule.key, None)
        if (problem := schedule.problem()) is not None:
            self._problems[schedule.key] = problem
        known = [self._done_until.get(uid), parse_time(status.done_until)]
        if status.observed_generation not in {0, schedule.metadata.generation}:
            known.append(self._clock())  # what its new spec would have meant earlier, is over
        if moments := [one for one in known if one is not None]:
            self._done_until[uid] = max(moments)

    async def _fire(self, firing: Firing, now: datetime) -> bool:
        """Put a firing into the queue; False where it must be tried again."""
        schedule = firing.schedule
        namespace = schedule.metadata.namespace
        function = self._catalogue.get(namespace, schedule.spec.function.partition(":")[0])
        hold = hold_seconds(function.spec.timeout) if function else LONGEST_HOLD
        try:
            account = await self._accounts.account(namespace)
            event = event_of(firing, now, account=account, region=self._region, hold=hold)
            (is_new,) = await self._queue.enqueue(event)
        except PilotlightError as error:
            log.warning("schedule not fired yet", schedule=str(schedule.key), error=str(error))
            return False
        self._done_until[schedule.metadata.uid] = firing.time
        if is_new:
            lag = max(0.0, (now - firing.moment).total_seconds())
            self._metrics.asynchronous.received(namespace, event.function)
            self._metrics.schedule_fired(namespace, event.function, event.qualifier, lag)
            log.info("schedule fired", schedule=str(schedule.key), request_id=event.id)
        await self._write(schedule, now, fired=firing.time)
        return True

    async def _write(
        self, schedule: Schedule, now: datetime, *, fired: datetime | None = None
    ) -> None:
        """Write a schedule's status where it says something else than is known."""
        status = self._status(schedule, now, fired)
        if status == schedule.status:
            return
        try:
            changed = schedule.model_copy(update={"status": status})
            await self._cache.resources.write_status(changed)
        except NotFoundError:
            self._cache.forget(Schedule, schedule.key, schedule.metadata.uid)
        except PilotlightError as error:  # said again when it is looked at the next time
            log.warning("schedule's status not written", error=str(error))

    def _status(self, schedule: Schedule, now: datetime, fired: datetime | None) -> ScheduleStatus:
        name = schedule.spec.function.partition(":")[0]
        return status_of(
            schedule,
            now,
            has_function=self._catalogue.get(schedule.metadata.namespace, name) is not None,
            problem=self._problems.get(schedule.key),
            done_until=self._done_until.get(schedule.metadata.uid),
            fired=fired,
        )

    async def _sleep(self, wake_at: datetime | None) -> None:
        """Wait until something is due, or changed."""
        now = self._clock()
        seconds = LONGEST_SLEEP if wake_at is None else (wake_at - now).total_seconds()
        if wake_at is not None and wake_at <= now:
            seconds = RETRY_SECONDS
        try:
            async with asyncio.timeout(min(seconds, LONGEST_SLEEP)):
                await self._changed.wait()
        except TimeoutError:
            return
