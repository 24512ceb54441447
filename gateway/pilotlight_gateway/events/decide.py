"""How an event goes on: Lambda's rules, as functions of what happened. Pure.

AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation". A
function error is tried again after one and two minutes, at most twice. What did not run (throttled,
or the platform failed) is no try: it waits from 1 second up to 5 minutes, until the event's age.
An event that ended goes to its destinations. Nothing is dropped unseen: a failure that nobody is
told of stands in the queue as a dead letter (docs/events.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.event_queue.interface import Again, Dead, Done

from .attempt import NotRun, Outcome, Ran, Refused
from .delivery import Delivery, Destination
from .record import InvocationRecord

if TYPE_CHECKING:
    from pilotlight.resources import AsyncConfig
    from pilotlight_gateway.event_queue.interface import Event, Settlement

__all__ = ["MOST_DELIVERIES", "after_attempt", "after_delivery", "after_end", "expired"]

RETRY_WAITS = (60.0, 120.0)
"""Seconds before the second and the third try."""
LONGEST_WAIT = 300.0
MOST_DELIVERIES = 10
"""How often a destination is tried, over about ten minutes."""
LONGEST_MESSAGE = 4096
"""Characters of an error's text that a dead letter keeps."""


def after_attempt(
    event: Event, outcome: Outcome, *, retries: int, now: float, jitter: float
) -> Again | InvocationRecord:
    """Say how an event goes on after an attempt, or how it ended; `jitter` is from 0 to 1."""
    match outcome:
        case Ran(function_error=None):
            return InvocationRecord(event, "Success", "", event.tries + 1, now, outcome)
        case Ran():
            return _after_function_error(event, outcome, retries, now)
        case NotRun():
            wait = min(LONGEST_WAIT, 2.0 ** min(event.refusals, 16) * (1 + jitter / 2))
            return _again(event, now + wait, event.tries, event.refusals + 1)
        case Refused(condition, reason):
            return InvocationRecord(event, condition, reason, event.tries, now)


def expired(event: Event, now: float) -> InvocationRecord:
    """Say how an event ended that has become too old."""
    message = f"The event is older than {event.expires_at - event.enqueued_at:.0f} s."
    return InvocationRecord(event, "EventAgeExceeded", message, event.tries, now)


def after_end(
    record: InvocationRecord, config: AsyncConfig, dead_letter_queue: str | None
) -> Settlement:
    """Say how an event goes on that has ended; `dead_letter_queue` is the function's, an ARN."""
    address = config.on_success if record.succeeded else config.on_failure
    destinations = [Destination(address)] if address else []
    if dead_letter_queue and not record.succeeded:
        destinations.append(Destination(dead_letter_queue, dead_letter=True))
    if destinations:
        delivery = Delivery(record, tuple(destinations))
        return Again(record.ended_at, record.event.tries, 0, delivery.dump())
    if record.succeeded:
        return Done()
    return Dead(record.condition, _kept(record.message), record.ended_at, record.tries)


def after_delivery(delivery: Delivery, unreached: dict[Destination, str], now: float) -> Settlement:
    """Say how an event goes on after a delivery that did not reach these, and why not."""
    if not unreached:
        return Done()
    record, left = delivery.record, delivery.left(unreached)
    if left.attempts < MOST_DELIVERIES:
        wait = min(LONGEST_WAIT, 2.0**delivery.attempts)
        return Again(now + wait, record.event.tries, 0, left.dump())
    message = f"{record.condition}, and nobody could be told: {'; '.join(unreached.values())}"
    return Dead("DestinationDeliveryFailed", _kept(message), now, record.tries)


def _after_function_error(
    event: Event, ran: Ran, retries: int, now: float
) -> Again | InvocationRecord:
    tries = event.tries + 1
    if tries > retries:
        message = ran.payload.decode(errors="replace")
        return InvocationRecord(event, "RetriesExhausted", message, tries, now, ran)
    return _again(event, now + RETRY_WAITS[min(tries, len(RETRY_WAITS)) - 1], tries, 0)


def _again(event: Event, due_at: float, tries: int, refusals: int) -> Again:
    """Wait, but not beyond the event's age: then it is looked at once more, and ends."""
    return Again(min(due_at, event.expires_at), tries, refusals)


def _kept(message: str) -> str:
    # PostgreSQL's text holds no NUL.
    return message[:LONGEST_MESSAGE].replace("\0", "\N{REPLACEMENT CHARACTER}")
