"""Accepts events: `Invoke` with InvocationType Event, and the older InvokeAsync.

The answer is 202 once the event is on disk and never before (docs/events.md). From then on the
dispatcher beside this module owes an invocation.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pilotlight_gateway.errors import RequestTooLargeError
from pilotlight_gateway.event_queue.interface import Event
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.identifiers import new_request_id, new_trace_id
from pilotlight_gateway.invocation.async_config import async_config
from pilotlight_gateway.invocation.targets import find_target

if TYPE_CHECKING:
    from pilotlight_gateway.invocation.invocation import Invocation
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.services import Services

__all__ = ["LARGEST_EVENT", "accept", "hold_seconds", "keep"]

LARGEST_EVENT = 1_048_576
"""Bytes of an asynchronous event."""
START_SECONDS = 70.0
"""How long an invocation may wait before it begins: for a revision, then for an environment."""
GRACE_SECONDS = 20.0
"""For the end of an environment that ran out of time, and for telling of it."""


async def accept(services: Services, reference: Reference, invocation: Invocation) -> Reply:
    """Keep an event and answer 202; raises ApiError and PilotlightError, keeping nothing."""
    if len(invocation.event) > LARGEST_EVENT:
        raise RequestTooLargeError(
            f"{len(invocation.event)} byte payload is too large for the Event invocation type "
            f"(limit {LARGEST_EVENT} bytes)"
        )
    await keep(
        services,
        reference,
        invocation.event,
        request_id=invocation.request_id,
        trace_id=invocation.trace_id,
    )
    return Reply(202, headers={"X-Amzn-Trace-Id": invocation.trace_id.partition(";")[0]})


async def keep(  # noqa: PLR0913  what is kept, and what it follows from, by name
    services: Services,
    reference: Reference,
    payload: bytes,
    *,
    request_id: str = "",
    trace_id: str = "",
    dedup_key: str = "",
) -> str:
    """Put an event into the queue and give its request id; returns once it is on disk.

    Raises ResourceNotFoundException; QueueFullError and UnavailableError, keeping nothing.
    """
    target = await find_target(services, reference)
    config = await async_config(services, reference, target)
    now = time.time()
    event = Event(
        id=request_id or new_request_id(),
        account=reference.account,
        namespace=reference.namespace,
        function=reference.name,
        qualifier=reference.qualifier or "",
        payload=payload,
        trace_id=trace_id or new_trace_id(),
        dedup_key=dedup_key,
        enqueued_at=now,
        due_at=now,
        expires_at=now + config.event_age,
        hold_seconds=hold_seconds(target.timeout),
    )
    await services.events.enqueue(event)
    services.metrics.asynchronous.received(event.namespace, event.function)
    return event.id


def hold_seconds(timeout: int) -> float:
    """Say how long a lease must last: longer than a function of that timeout may run."""
    return START_SECONDS + timeout + GRACE_SECONDS
