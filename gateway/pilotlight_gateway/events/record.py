"""What destinations and dead-letter queues get: Lambda's invocation record and its attributes.

AWS Lambda Developer Guide, "Adding a destination" and "Adding a dead-letter queue"; lambda.md 1.4.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn
from pilotlight.resources import LATEST

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Event

    from .decide import Ended
    from .delivery import Delivery

__all__ = ["dead_letter_attributes", "invoked_arn", "record"]

LONGEST_MESSAGE = 1024
"""Bytes of an error's text in a dead-letter queue."""


def invoked_arn(event: Event, region: str) -> str:
    """Give the ARN that an event was meant for, always with a qualifier."""
    return function_arn(region, event.account, event.function, event.qualifier or LATEST)


def record(event: Event, delivery: Delivery, region: str) -> dict[str, Any]:
    """Give the invocation record, version 1.0."""
    ended = delivery.ended
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": _timestamp(delivery.ended_at),
        "requestContext": {
            "requestId": event.id,
            "functionArn": invoked_arn(event, region),
            "condition": ended.condition,
            "approximateInvokeCount": ended.tries,
        },
        "requestPayload": _value(event.payload),
    }
    return document | _response(ended)


def dead_letter_attributes(event: Event, ended: Ended) -> dict[str, tuple[str, str]]:
    """Give a dead letter's attributes by name: type and value."""
    code = "200" if ended.response else "429"
    message = _error_message(ended).encode()[:LONGEST_MESSAGE].decode(errors="ignore")
    return {
        "RequestID": ("String", event.id),
        "ErrorCode": ("Number", code),
        "ErrorMessage": ("String", message or ended.condition),
    }


def _response(ended: Ended) -> dict[str, Any]:
    response = ended.response
    if response is None:
        return {}
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": response.version}
    if response.function_error:
        context["functionError"] = response.function_error
    return {"responseContext": context, "responsePayload": _value(response.payload)}


def _error_message(ended: Ended) -> str:
    """Give the function's own words where it said some."""
    payload = _value(ended.response.payload) if ended.response else None
    if isinstance(payload, dict) and isinstance(payload.get("errorMessage"), str):
        text: str = payload["errorMessage"]
        return text
    return ended.message


def _value(payload: bytes) -> Any:
    """Give a payload as JSON; what is none, as text."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode(errors="replace")


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
