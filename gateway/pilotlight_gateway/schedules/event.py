"""The invocation that a firing is: what its event carries, and the key that makes it one only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pilotlight.resources.schedule import format_time
from pilotlight_gateway.identifiers import new_request_id, new_trace_id
from pilotlight_gateway.invocation.behalf import as_service
from pilotlight_gateway.invocation.invocation import Invocation

if TYPE_CHECKING:
    from pilotlight.policies import PolicyRequest
    from pilotlight_gateway.invocation.reference import Reference

    from .decide import Firing

__all__ = ["behalf_of", "dedup_key_of", "invocation_of"]


def invocation_of(firing: Firing, reference: Reference) -> Invocation:
    """Return the invocation of a firing's function."""
    spec, request_id = firing.schedule.spec, new_request_id()
    said = {
        "<aws.scheduler.schedule-arn>": _arn(firing, reference),
        "<aws.scheduler.scheduled-time>": format_time(firing.time),
        "<aws.scheduler.execution-id>": request_id,
    }
    event = _filled_in(spec.input, said)
    return Invocation(request_id, reference.arn, new_trace_id(), event)


def behalf_of(firing: Firing, reference: Reference) -> PolicyRequest:
    """Return in whose name a firing invokes."""
    return as_service("scheduler.amazonaws.com", _arn(firing, reference), reference.account)


def _arn(firing: Firing, reference: Reference) -> str:
    name = f"schedule/default/{firing.schedule.metadata.name}"
    return f"arn:aws:scheduler:{reference.region}:{reference.account}:{name}"


def dedup_key_of(firing: Firing) -> str:
    """Return the key of a firing's event: the same at every gateway and after a restart."""
    return f"{firing.schedule.metadata.uid}/{format_time(firing.time)}"


def _filled_in(text: str, said: dict[str, str]) -> bytes:
    """Put what is known of the firing into an input (EventBridge Scheduler, "Context attributes").

    Inside a JSON text: what is put in must not end it.
    """
    for name, value in said.items():
        text = text.replace(name, json.dumps(value)[1:-1])
    return text.encode()
