"""What is done with one event that was leased: try its function, or tell of how it ended.

`attempt` runs, `decide` and `ending` say what follows, and the dispatcher settles it.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import structlog

from pilotlight.resources import destination_kind
from pilotlight_gateway.errors import FunctionNotFoundError
from pilotlight_gateway.event_queue.interface import Dead
from pilotlight_gateway.invocation.async_config import async_config
from pilotlight_gateway.invocation.targets import find_target

from .acceptance import hold_seconds
from .attempt import attempt, reference_of
from .decide import Ended, FunctionFailed, NotRun, Outcome, decide, expired
from .delivery import Delivery
from .destinations.notice import Notice, UndeliveredError
from .ending import after_delivery, end

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.resources import AsyncConfig
    from pilotlight_gateway.event_queue.interface import Event, EventLease, Settlement
    from pilotlight_gateway.invocation.targets import Target as InvocationTarget
    from pilotlight_gateway.services import Services

    from .delivery import Target
    from .destinations.notice import Destination

__all__ = ["EventHandler"]

SLACK_SECONDS = 5.0
"""By how much a lease may be too short, for it was given a moment ago."""

log = structlog.get_logger()


class EventHandler:
    """Makes of a lease a settlement."""

    def __init__(
        self,
        services: Services,
        destinations: Destination,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._services = services
        self._destinations = destinations
        self._clock = clock
        self._metrics = services.metrics.asynchronous

    async def handle(self, lease: EventLease) -> tuple[EventLease, Settlement]:
        """Work on an event; gives its lease, perhaps held longer, and what becomes of it."""
        event = lease.event
        if event.delivery:
            settlement = await self._tell(event, Delivery.load(event.delivery))
        else:
            lease, settlement = await self._try(lease)
        return lease, settlement

    def settled(self, event: Event, settlement: Settlement) -> None:
        """Take note of what has become of an event, once it is stored."""
        if isinstance(settlement, Dead):
            self._metrics.died(*event.function_key, settlement.reason)
            log.warning("event is dead", request_id=event.id, reason=settlement.reason)

    async def _try(self, lease: EventLease) -> tuple[EventLease, Settlement]:
        """Try the event's function."""
        event = lease.event
        reference = reference_of(event, self._services.settings.region)
        try:
            target = await find_target(self._services, reference)
        except FunctionNotFoundError as error:
            self._metrics.dropped(*event.function_key, "FunctionNotFound")
            return lease, Dead("FunctionNotFound", error.message, self._clock(), event.tries)
        config = await async_config(self._services, reference, target)
        if self._clock() >= event.expires_at:
            return lease, self._end(event, expired(event), config, target)
        lease = await self._hold(lease, target)
        self._metrics.started(*event.function_key, self._clock() - event.enqueued_at)
        outcome = await self._attempt(event, target)
        return lease, self._after(event, outcome, config, target)

    def _after(
        self, event: Event, outcome: Outcome, config: AsyncConfig, target: InvocationTarget
    ) -> Settlement:
        decided = decide(
            event,
            outcome,
            retries=config.retries,
            now=self._clock(),
            jitter=random.random(),  # noqa: S311  spreads load
        )
        if isinstance(decided, Ended):
            return self._end(event, decided, config, target)
        self._metrics.retried(*event.function_key, _retry_reason(outcome))
        log.info(
            "event is tried again", request_id=event.id, reason=_retry_reason(outcome),
            at=decided.due_at, tries=decided.tries,
        )  # fmt: skip
        return decided

    def _end(
        self, event: Event, ended: Ended, config: AsyncConfig, target: InvocationTarget
    ) -> Settlement:
        if not ended.succeeded:
            self._metrics.dropped(*event.function_key, ended.condition)
        dead_letters = target.function.spec.dead_letter_target
        return end(event, ended, config, dead_letters, self._clock())

    async def _attempt(self, event: Event, target: InvocationTarget) -> Outcome:
        try:
            return await attempt(self._services, event, target)
        except Exception:
            log.exception("event could not be tried", request_id=event.id)
            return NotRun("InternalError")

    async def _hold(self, lease: EventLease, target: InvocationTarget) -> EventLease:
        """Hold an event as long as its function, as it is now, may run."""
        needed = self._clock() + hold_seconds(target.timeout)
        if lease.until >= needed - SLACK_SECONDS:
            return lease
        return await self._services.events.extend(lease, needed)

    async def _tell(self, event: Event, delivery: Delivery) -> Settlement:
        """Tell everybody who was not told yet."""
        unreached: dict[Target, str] = {}
        for target in delivery.targets:
            notice = Notice(event, delivery, target, self._services.settings.region)
            try:
                await self._destinations.deliver(notice)
            except UndeliveredError as error:
                unreached[target] = str(error)
                self._metrics.undelivered(
                    *event.function_key, destination_kind(target.address) or "none"
                )
                log.warning("not delivered", request_id=event.id, error=str(error))
        return after_delivery(event, delivery, unreached, self._clock())


def _retry_reason(outcome: Outcome) -> str:
    if isinstance(outcome, FunctionFailed):
        return "FunctionError"
    return "Throttle" if isinstance(outcome, NotRun) and outcome.throttled else "PlatformError"
