"""Payload format 1.0: REST APIs of API Gateway, and HTTP APIs that ask for it. Pure.

API Gateway Developer Guide, "Lambda proxy integrations in API Gateway".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import envelope
from .message import grouped
from .payload_v2 import body_members, request_time

if TYPE_CHECKING:
    from .message import HttpResponse
    from .site import Match

__all__ = ["event", "response"]

Document = dict[str, Any]


def event(match: Match) -> Document:
    """Return the event; members that say nothing are null, as in API Gateway's."""
    request = match.request
    headers, query = grouped(request.headers), grouped(request.pairs)
    return {
        "version": "1.0",
        "resource": match.site.resource,
        "path": request.decoded_path,
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": match.path_parameters or None,
        "stageVariables": None,
        "requestContext": _context(match),
        "body": None,
    } | body_members(request)


def response(answer: bytes) -> HttpResponse:
    """Read the answer, which must be an envelope; `multiValueHeaders` go before `headers`."""
    document = envelope.load(answer)
    read = envelope.read(document)
    repeated = envelope.repeated_headers(document)
    names = {name.lower() for name, _ in repeated}
    read.headers = [pair for pair in read.headers if pair[0].lower() not in names] + repeated
    return read


def _last(groups: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in groups.items()}


def _context(match: Match) -> Document:
    request, site = match.request, match.site
    return {
        "accountId": match.account,
        "apiId": site.id,
        "authorizer": _authorizer(match),
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": {
            "accountId": None,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent"),
        },
        "path": request.decoded_path,
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": request_time(request.time),
        "requestTimeEpoch": int(request.time * 1000),
        "resourceId": match.route_key,
        "resourcePath": site.resource,
        "stage": "$default",
    }


def _authorizer(match: Match) -> dict[str, object] | None:
    """Say what authorisation found as format 1.0 does: flat, a token's claims under `claims`."""
    return next(iter(match.authorizer.values()), None)
