"""`/-/logs`: a function's log lines, for `pilotlight logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.storage import LogQuery
from pilotlight_gateway.errors import InvalidParameterValueError
from pilotlight_gateway.exchange import Reply, json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call, Query
    from pilotlight_gateway.services import Services

__all__ = ["get_logs"]

MOST = 10_000


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
            after_id=int(_number(query, "after_id", 0)),
            limit=min(int(_number(query, "limit", 1000)), MOST),
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
    text = query.get(name)
    if text is None:
        return default
    try:
        return float(text)
    except ValueError as error:
        raise InvalidParameterValueError(f"{name}: {text!r} came, a number is expected") from error
