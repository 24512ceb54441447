"""Fires schedules: what is due becomes an asynchronous event, at most one for each time.

Every gateway does this. The key of an event is the schedule's uid and the time, and the queue keeps
one event of a key, so neither a second gateway nor a restart fires twice. A time is done with only
once its event is on disk, so none is lost.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import NotFoundError, PilotlightError
from pilotlight.resources import Schedule
from pilotlight.resources.schedule import parse_time
from pilotlight_gateway.errors import AccessDeniedError
from pilotlight_gateway.invocation.reference import Reference

from .decide import decide
from .event import behalf_of, dedup_key_of, invocation_of
from .status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.resources import Key, ScheduleStatus
    from pilotlight_gateway.invocation.catalogue import Catalogue
    from pilotlight_gateway.invocation.invoker import Invoker

    from .decide import Firing
    from .metrics import ScheduleMetrics

__all__ = ["Scheduler"]

LONGEST_SLEEP = 30.0
"""Seconds, since the machine's clock may be set meanwhile."""
RETRY_SECONDS = 2.0

log = structlog.get_logger()


class Scheduler:
    """Follows schedules and fires them."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name
        self,
        *,
        cache: Cache,
        catalogue: Catalogue,
        accounts: Accounts,
        invoker: Invoker,
        metrics: ScheduleMetrics,
        region: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache = cache
        self._catalogue = catalogue
        self._accounts = accounts
        self._invoker = invoker
        self._metrics = metrics
        self._region = region
        self._clock = clock
        self._problems: dict[Key, str] = {}
        self._denied: dict[Key, str] = {}
        """Why schedules last invoked nothing, where their functions' policies denied it."""
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
        """Fire what is due, write what is known; returns when something will be due."""
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
            self._denied.pop(before.key, None)
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
        schedule, request_id = firing.schedule, None
        self._denied.pop(schedule.key, None)
        try:
            request_id = await self._enqueue(firing)
        except AccessDeniedError as error:  # this time is over: the policy holds for it
            self._denied[schedule.key] = error.message
            log.warning("schedule denied", schedule=str(schedule.key), error=error.message)
        except PilotlightError as error:
            log.warning("schedule not fired yet", schedule=str(schedule.key), error=str(error))
            return False
        self._done_until[schedule.metadata.uid] = firing.time
        if request_id is not None:
            self._note_firing(firing, now)
            log.info("schedule fired", schedule=str(schedule.key), request_id=request_id)
        fired = None if schedule.key in self._denied else firing.time
        await self._write(schedule, now, fired=fired)
        return True

    async def _enqueue(self, firing: Firing) -> str | None:
        """Keep a firing's event; returns its request id, None where it was kept before."""
        spec, namespace = firing.schedule.spec, firing.schedule.metadata.namespace
        account = await self._accounts.account(namespace)
        function, _, qualifier = spec.function.partition(":")
        reference = Reference(namespace, account, self._region, function, qualifier or None)
        invocation = invocation_of(firing, reference)
        is_new = await self._invoker.enqueue(
            reference,
            invocation,
            dedup_key=dedup_key_of(firing),
            expires_at=firing.moment.timestamp() + spec.maximum_event_age,
            missing_ok=True,
            behalf=behalf_of(firing, reference),
        )
        return invocation.request_id if is_new else None

    def _note_firing(self, firing: Firing, now: datetime) -> None:
        function, _, qualifier = firing.schedule.spec.function.partition(":")
        lag = max(0.0, (now - firing.moment).total_seconds())
        self._metrics.fired(firing.schedule.metadata.namespace, function, qualifier, lag)

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
            denied=self._denied.get(schedule.key),
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
