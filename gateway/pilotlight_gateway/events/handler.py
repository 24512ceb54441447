"""What is done with one event that was leased: try its function, or tell of how it ended.

`attempt` runs it and `destinations` tell of it; `decide` says what follows, and the dispatcher
settles that.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import structlog

from pilotlight.resources import destination_kind
from pilotlight_gateway.errors import FunctionNotFoundError
from pilotlight_gateway.event_queue.interface import Dead
from pilotlight_gateway.invocation.invocation import Invocation
from pilotlight_gateway.invocation.invoker import hold_seconds
from pilotlight_gateway.invocation.reference import Reference

from .attempt import NotRun, Outcome, Ran, attempt
from .decide import after_attempt, after_delivery, after_end, expired
from .delivery import Delivery, Destination, UndeliveredError
from .record import InvocationRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight_gateway.event_queue.interface import (
        Again,
        Event,
        EventLease,
        EventQueue,
        Settlement,
    )
    from pilotlight_gateway.invocation.invoker import Invoker
    from pilotlight_gateway.invocation.targets import Target, Targets

    from .concurrency import Place
    from .delivery import Delivers
    from .metrics import EventMetrics

__all__ = ["EventHandler"]

SLACK_SECONDS = 5.0
"""By how much a lease may be too short, for it was given a moment ago."""

log = structlog.get_logger()


class EventHandler:
    """Works on events, one at a time and as many beside each other as are leased."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name
        self,
        *,
        invoker: Invoker,
        targets: Targets,
        queue: EventQueue,
        destinations: Delivers,
        metrics: EventMetrics,
        region: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._invoker = invoker
        self._targets = targets
        self._queue = queue
        self._destinations = destinations
        self._metrics = metrics
        self._region = region
        self._clock = clock

    async def handle(self, lease: EventLease, place: Place) -> tuple[EventLease, Settlement]:
        """Work on an event; returns its lease, perhaps held longer, and what becomes of it."""
        if lease.event.delivery:
            place.began()
            return lease, await self._deliver(Delivery.of(lease.event))
        return await self._try(lease, place)

    def settled(self, event: Event, settlement: Settlement) -> None:
        """Take note of what has become of an event, once it is stored."""
        if isinstance(settlement, Dead):
            self._metrics.died(*event.function_key, settlement.reason)
            log.warning("event is dead", request_id=event.id, reason=settlement.reason)

    async def _try(self, lease: EventLease, place: Place) -> tuple[EventLease, Settlement]:
        """Try the event's function."""
        event = lease.event
        reference = _reference_of(event, self._region)
        try:
            target = await self._targets.find(reference)
        except FunctionNotFoundError as error:
            self._metrics.dropped(*event.function_key, "FunctionNotFound")
            return lease, Dead("FunctionNotFound", error.message, self._clock(), event.tries)
        config = await self._targets.async_config(reference, target)
        decided: Again | InvocationRecord
        if self._clock() >= event.expires_at:
            decided = expired(event, self._clock())
        else:
            lease = await self._hold(lease, target)
            decided = await self._attempt(event, reference, target, place, retries=config.retries)
        if not isinstance(decided, InvocationRecord):
            return lease, decided
        if not decided.succeeded:
            self._metrics.dropped(*event.function_key, decided.condition)
        return lease, after_end(decided, config, target.function.spec.dead_letter_target)

    async def _attempt(
        self, event: Event, reference: Reference, target: Target, place: Place, *, retries: int
    ) -> Again | InvocationRecord:
        self._metrics.started(*event.function_key, self._clock() - event.enqueued_at)
        invocation = Invocation(
            event.id,
            reference.arn,
            event.trace_id,
            event.payload,
            tenant_id=event.tenant_id,
            began=place.began,
        )
        outcome: Outcome
        try:
            outcome = await attempt(self._invoker, invocation, reference, target)
        except Exception:
            log.exception("event could not be tried", request_id=event.id)
            outcome = NotRun("InternalError")
        if isinstance(outcome, Ran):
            place.took(outcome.seconds)
        jitter = random.random()  # noqa: S311  spreads load
        decided = after_attempt(event, outcome, retries=retries, now=self._clock(), jitter=jitter)
        if not isinstance(decided, InvocationRecord):
            self._note_retry(event, outcome, decided)
        return decided

    def _note_retry(self, event: Event, outcome: Outcome, again: Again) -> None:
        reason = _retry_reason(outcome)
        self._metrics.retried(*event.function_key, reason)
        log.info(
            "event is tried again", request_id=event.id, reason=reason,
            at=again.due_at, tries=again.tries,
        )  # fmt: skip

    async def _hold(self, lease: EventLease, target: Target) -> EventLease:
        """Hold an event as long as its function, as it is now, may run."""
        needed = self._clock() + hold_seconds(target.timeout)
        if lease.until >= needed - SLACK_SECONDS:
            return lease
        return await self._queue.extend(lease, needed)

    async def _deliver(self, delivery: Delivery) -> Settlement:
        """Tell everybody who was not told yet."""
        unreached: dict[Destination, str] = {}
        for destination in delivery.destinations:
            problem = await self._tell(delivery.record, destination)
            if problem is not None:
                unreached[destination] = problem
        return after_delivery(delivery, unreached, self._clock())

    async def _tell(self, record: InvocationRecord, destination: Destination) -> str | None:
        """Bring a record to a destination; returns why that was not possible."""
        event = record.event
        try:
            await self._destinations.deliver(record, destination)
        except UndeliveredError as error:
            problem = str(error)
        except Exception:
            log.exception("record could not be delivered", request_id=event.id)
            problem = f"{destination.address}: internal error"
        else:
            return None
        kind = destination_kind(destination.address) or "none"
        self._metrics.undelivered(*event.function_key, kind)
        log.warning("not delivered", request_id=event.id, error=problem)
        return problem


def _reference_of(event: Event, region: str) -> Reference:
    """Return what an event is meant for."""
    return Reference(
        event.namespace, event.account, region, event.function, event.qualifier or None
    )


def _retry_reason(outcome: Outcome) -> str:
    if isinstance(outcome, Ran):
        return "FunctionError"
    return "Throttle" if isinstance(outcome, NotRun) and outcome.throttled else "PlatformError"
