"""The asynchronous event that a firing is: what it carries, and the key that makes it one only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pilotlight.resources.schedule import format_time
from pilotlight_gateway.event_queue.interface import Event
from pilotlight_gateway.identifiers import new_request_id, new_trace_id

if TYPE_CHECKING:
    from datetime import datetime

    from .decide import Firing

__all__ = ["event_of"]


def event_of(firing: Firing, now: datetime, *, account: str, region: str, hold: float) -> Event:
    """Make the event; `hold` is for how many seconds its lease lasts."""
    spec, metadata = firing.schedule.spec, firing.schedule.metadata
    function, _, qualifier = spec.function.partition(":")
    request_id, time = new_request_id(), format_time(firing.time)
    said = {
        "<aws.scheduler.schedule-arn>": (
            f"arn:aws:scheduler:{region}:{account}:schedule/default/{metadata.name}"
        ),
        "<aws.scheduler.scheduled-time>": time,
        "<aws.scheduler.execution-id>": request_id,
    }
    return Event(
        id=request_id,
        account=account,
        namespace=metadata.namespace,
        function=function,
        qualifier=qualifier,
        payload=_filled_in(spec.input, said),
        enqueued_at=now.timestamp(),
        due_at=now.timestamp(),
        expires_at=firing.moment.timestamp() + spec.maximum_event_age,
        hold_seconds=hold,
        trace_id=new_trace_id(),
        dedup_key=f"{metadata.uid}/{time}",
    )


def _filled_in(text: str, said: dict[str, str]) -> bytes:
    """Put what is known of the firing into an input (EventBridge Scheduler, "Context attributes").

    Inside a JSON text: what is put in must not end it.
    """
    for name, value in said.items():
        text = text.replace(name, json.dumps(value)[1:-1])
    return text.encode()
