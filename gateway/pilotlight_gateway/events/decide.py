"""How an event goes on after an attempt: Lambda's rules, as a function of what happened.

AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation". A
function error is tried again after one and two minutes, at most twice. What did not run (throttled,
or the platform failed) is no try: it waits from 1 second up to 5 minutes, until the event's age.
`ending` says where an event that ends goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight_gateway.event_queue.interface import Again

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Event

__all__ = [
    "Ended",
    "FunctionFailed",
    "NotRun",
    "Outcome",
    "Refused",
    "Response",
    "Succeeded",
    "decide",
    "expired",
]

RETRY_WAITS = (60.0, 120.0)
"""Seconds before the second and the third try."""
LONGEST_WAIT = 300.0


@dataclass(frozen=True, slots=True)
class Response:
    """What a function answered."""

    payload: bytes
    version: str
    function_error: str | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The function ran and answered."""

    response: Response


@dataclass(frozen=True, slots=True)
class FunctionFailed:
    """The function ran and failed."""

    response: Response


@dataclass(frozen=True, slots=True)
class NotRun:
    """Nothing ran: a limit or the platform stood in the way."""

    reason: str
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing ran, and nothing would."""

    condition: str
    reason: str


Outcome = Succeeded | FunctionFailed | NotRun | Refused


@dataclass(frozen=True, slots=True)
class Ended:
    """The event has ended; `condition` is Lambda's word for it."""

    condition: str
    message: str
    tries: int
    """How often the function ran."""
    response: Response | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.condition == "Success"


def decide(
    event: Event, outcome: Outcome, *, retries: int, now: float, jitter: float
) -> Again | Ended:
    """Say how an event goes on; `jitter` is from 0 to 1."""
    match outcome:
        case Succeeded(response):
            return Ended("Success", "", event.tries + 1, response)
        case FunctionFailed(response):
            return _after_failure(event, response, retries, now)
        case NotRun():
            wait = min(LONGEST_WAIT, 2.0 ** min(event.refusals, 16) * (1 + jitter / 2))
            return _again(event, now + wait, event.tries, event.refusals + 1)
        case Refused(condition, reason):
            return Ended(condition, reason, event.tries)


def expired(event: Event) -> Ended:
    """Say how an event ends that has become too old."""
    age = event.expires_at - event.enqueued_at
    return Ended("EventAgeExceeded", f"The event is older than {age:.0f} s.", event.tries)


def _after_failure(event: Event, response: Response, retries: int, now: float) -> Again | Ended:
    tries = event.tries + 1
    if tries > retries:
        message = response.payload.decode(errors="replace")
        return Ended("RetriesExhausted", message, tries, response)
    return _again(event, now + RETRY_WAITS[min(tries, len(RETRY_WAITS)) - 1], tries, 0)


def _again(event: Event, due_at: float, tries: int, refusals: int) -> Again:
    """Wait, but not beyond the event's age: then it is looked at once more, and ends."""
    return Again(min(due_at, event.expires_at), tries, refusals, event.delivery)
