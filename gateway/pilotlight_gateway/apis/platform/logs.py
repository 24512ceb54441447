"""`/-/logs`: a function's log lines, for `pilotlight logs`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pilotlight.storage import LogQuery
from pilotlight_gateway.errors import InvalidParameterValueError
from pilotlight_gateway.exchange import Reply, json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call, Query
    from pilotlight_gateway.services import Services

__all__ = ["get_logs"]

MOST = 10_000
MOST_ID = (1 << 63) - 1
"""The stores' integers end here."""


async def get_logs(services: Services, call: Call) -> Reply:
    """Return lines of a function, oldest first."""
    query = call.query
    key = await services.catalogue.key_of(call.caller.namespace, query.get("function", ""))
    lines = await services.logs.query(
        LogQuery(
            namespace=key.namespace,
            function=key.name,
            since=_number(query, "since", 0.0),
            request_id=query.get("request_id") or None,
            after_id=_whole(query, "after_id", 0, most=MOST_ID),
            limit=_whole(query, "limit", 1000, most=MOST),
        )
    )
    return json_reply(
        {
            "lines": [
                {
                    "id": line.id,
                    "time": line.time,
                    "stream": line.stream,
                    "requestId": line.request_id,
                    "message": line.message,
                }
                for line in lines
            ]
        }
    )


def _number(query: Query, name: str, default: float) -> float:
    text = query.get(name, str(default))
    try:
        number = float(text)
    except ValueError as error:
        raise _refusal(name, text) from error
    if not math.isfinite(number):
        raise _refusal(name, text)
    return number


def _whole(query: Query, name: str, default: int, *, most: int) -> int:
    """Return a number from 0; above `most` it is that."""
    return max(0, min(int(_number(query, name, default)), most))


def _refusal(name: str, text: str) -> InvalidParameterValueError:
    return InvalidParameterValueError(f"{name}: {text[:80]!r} came, a number is expected")
