"""How an event ended: Lambda's invocation record, as destinations and dead-letter queues get it.

AWS Lambda Developer Guide, "Adding a destination" and "Adding a dead-letter queue"; lambda.md 1.4.
`decide` makes a record, `delivery` brings it to its destinations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn
from pilotlight.resources import LATEST

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Event

    from .attempt import Ran

__all__ = ["FailedBatch", "InvocationRecord"]

LONGEST_MESSAGE = 1024
"""Bytes of an error's text in a dead-letter queue."""


@dataclass(frozen=True, slots=True)
class FailedBatch:
    """Which records of an event source were given up; they themselves stay in the source."""

    mapping: str
    """The event source mapping's uid."""
    shard: str
    member: str
    """The record's member that says so, such as KinesisBatchInfo."""
    info: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InvocationRecord:
    """An event that has ended."""

    event: Event
    condition: str
    """Lambda's word for how: Success, RetriesExhausted, EventAgeExceeded …"""
    message: str
    tries: int
    """How often the function ran."""
    ended_at: float
    """Seconds since the epoch."""
    ran: Ran | None = None
    """The last run; None where none is to be told of."""
    batch: FailedBatch | None = None
    """What the event was, where it was no event of its own."""

    @property
    def succeeded(self) -> bool:
        """Whether the event ended well."""
        return self.condition == "Success"

    def document(self, region: str) -> dict[str, Any]:
        """Return the invocation record, version 1.0."""
        event = self.event
        qualifier = event.qualifier or (None if self.batch else LATEST)
        document: dict[str, Any] = {
            "version": "1.0",
            "timestamp": _timestamp(self.ended_at),
            "requestContext": {
                "requestId": event.id,
                "functionArn": function_arn(region, event.account, event.function, qualifier),
                "condition": self.condition,
                "approximateInvokeCount": self.tries,
            },
        }
        if self.batch is not None:
            context = {"responseContext": _response_context(self.ran)} if self.ran else {}
            return document | context | {self.batch.member: self.batch.info}
        document["requestPayload"] = _value(event.payload)
        if self.ran is not None:
            document["responseContext"] = _response_context(self.ran)
            document["responsePayload"] = _value(self.ran.payload)
        return document

    def text(self, region: str, *, whole: bool = False) -> str:
        """Return the document as JSON that can be encoded, whatever the payloads hold.

        A batch is named in it, and there only if the `whole` is wanted.
        """
        document = self.document(region)
        if whole and self.batch is not None:
            document["payload"] = self.event.payload.decode(errors="replace")
        text = json.dumps(document, ensure_ascii=False)
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can say only escaped
            return json.dumps(document)
        return text

    def dead_letter_attributes(self) -> dict[str, tuple[str, str]]:
        """Return a dead letter's attributes by name: type and value."""
        message = self._error_message().encode(errors="replace")[:LONGEST_MESSAGE]
        return {
            "RequestID": ("String", self.event.id),
            "ErrorCode": ("Number", "200" if self.ran else "429"),
            "ErrorMessage": ("String", message.decode(errors="ignore") or self.condition),
        }

    def _error_message(self) -> str:
        """Return the function's own words where it said some."""
        payload = _value(self.ran.payload) if self.ran else None
        if isinstance(payload, dict) and isinstance(payload.get("errorMessage"), str):
            text: str = payload["errorMessage"]
            return text
        return self.message


def _response_context(ran: Ran) -> dict[str, Any]:
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": ran.version}
    if ran.function_error:
        context["functionError"] = ran.function_error
    return context


def _value(payload: bytes) -> Any:
    """Return a payload as JSON; what is none, as text."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode(errors="replace")


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
