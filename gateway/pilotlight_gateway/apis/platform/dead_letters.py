"""`/-/dead-letters`: events that failed and nobody was told of, for `pilotlight dlq`.

They stand in the queue until somebody redrives or purges them (docs/events.md).
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

from pilotlight.resources import LATEST
from pilotlight.resources.asynchronous import DEFAULT_EVENT_AGE
from pilotlight_gateway.errors import InvalidParameterValueError
from pilotlight_gateway.event_queue.interface import FunctionKey
from pilotlight_gateway.exchange import Reply, json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import DeadLetter
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "get_dead_letter",
    "list_dead_letters",
    "purge_dead_letters",
    "redrive_dead_letters",
]

MOST = 1000


async def list_dead_letters(services: Services, call: Call) -> Reply:
    """Return a function's dead letters by id, and the id that leads on where there are more."""
    function = _function(call)
    limit = _limit(call)
    found = await services.events.dead_letters(
        function, after=call.query.get("after", ""), limit=limit + 1
    )
    counts = await services.events.counts(function)
    document: dict[str, Any] = {
        "deadLetters": [_summary(letter) for letter in found[:limit]],
        "total": counts.dead,
    }
    if len(found) > limit:
        document["next"] = found[limit - 1].event.id
    return json_reply(document)


async def get_dead_letter(services: Services, call: Call) -> Reply:
    """Return one dead letter with its event, in Base64."""
    letter = await services.events.dead_letter(call.caller.namespace, call.parameters["id"])
    payload = base64.b64encode(letter.event.payload).decode()
    return json_reply(
        _summary(letter)
        | {"payload": payload, "traceId": letter.event.trace_id}
        | ({"tenantId": letter.event.tenant_id} if letter.event.tenant_id else {})
    )


async def redrive_dead_letters(services: Services, call: Call) -> Reply:
    """Try a function's dead letters again, or one of them, as if they came now."""
    now = time.time()
    count = await services.events.redrive(
        _function(call), now, expires_at=now + DEFAULT_EVENT_AGE, ids=_ids(call)
    )
    return json_reply({"redriven": count})


async def purge_dead_letters(services: Services, call: Call) -> Reply:
    """Throw a function's dead letters away, or one of them."""
    return json_reply({"purged": await services.events.purge(_function(call), ids=_ids(call))})


def _function(call: Call) -> FunctionKey:
    function = call.query.get("function", "")
    if not function:
        raise InvalidParameterValueError("function: the name of a function is expected")
    return FunctionKey(call.caller.namespace, function)


def _ids(call: Call) -> list[str] | None:
    wanted = call.query.get("id")
    return None if wanted is None else [wanted]


def _limit(call: Call) -> int:
    text = call.query.get("limit", "100")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST:
        raise InvalidParameterValueError(f"limit: {text!r} came, 1 to {MOST} is expected")
    return int(text)


def _summary(letter: DeadLetter) -> dict[str, Any]:
    event = letter.event
    return {
        "id": event.id,
        "function": event.function,
        "qualifier": event.qualifier or LATEST,
        "reason": letter.reason,
        "message": letter.message,
        "tries": event.tries,
        "enqueuedAt": event.enqueued_at,
        "diedAt": letter.died_at,
        "size": len(event.payload),
    }
