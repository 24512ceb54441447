"""The payload of an Application Load Balancer's Lambda target. Pure.

Elastic Load Balancing, "Lambda functions as targets": the query is not decoded, header names are in
lower case, and of a name that is repeated the last value counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .payload_v1 import response
from .payload_v2 import body_members

if TYPE_CHECKING:
    from .site import Match

__all__ = ["event", "response"]


def event(match: Match) -> dict[str, Any]:
    """Return the event."""
    request = match.request
    target = (
        f"arn:aws:elasticloadbalancing:{match.region}:{match.account}:"
        f"targetgroup/{match.site.function}/{match.site.id}"
    )
    return {
        "requestContext": {"elb": {"targetGroupArn": target}},
        "httpMethod": request.method,
        "path": request.path,
        "queryStringParameters": _query(request.query),
        "headers": {name.lower(): value for name, value in request.headers},
        "body": "",
    } | body_members(request)


def _query(raw: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in raw.split("&") if item)
    return {name: value for name, _, value in pairs}
