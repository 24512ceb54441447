"""Payload format 2.0: HTTP APIs of API Gateway, and function URLs. Pure.

API Gateway Developer Guide, "AWS Lambda integrations for HTTP APIs"; AWS Lambda Developer Guide,
"Function URL request and response payloads".
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

from . import envelope
from .message import HttpResponse, grouped

if TYPE_CHECKING:
    from .message import HttpRequest
    from .site import Match

__all__ = ["body_members", "event", "request_time", "response"]

Document = dict[str, Any]


def event(match: Match) -> Document:
    """Return the event; members that say nothing are left out, as in Lambda's."""
    request = match.request
    headers = {
        name: ",".join(values)
        for name, values in grouped((key.lower(), value) for key, value in request.headers).items()
        if name != "cookie"
    }
    document: Document = {
        "version": "2.0",
        "routeKey": match.route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(match),
    }
    optional = {
        "cookies": _cookies(request),
        "queryStringParameters": {
            name: ",".join(values) for name, values in grouped(request.pairs).items()
        },
        "pathParameters": match.path_parameters,
    }
    document |= {name: value for name, value in optional.items() if value}
    return document | body_members(request)


def response(answer: bytes) -> HttpResponse:
    """Read the answer; what is no envelope is the body of a 200, a text without its quotes."""
    document = envelope.load(answer)
    if not envelope.is_envelope(document):
        return HttpResponse(200, [("Content-Type", "application/json")], _plain(document))
    read = envelope.read(document)
    read.headers += envelope.cookies(document)
    return read


def _plain(document: Any) -> bytes:
    text = document if isinstance(document, str) else envelope.written(document)
    return text.encode(errors="replace")


def body_members(request: HttpRequest) -> Document:
    """Return `body` and `isBase64Encoded`; only the latter where there is no body."""
    if not request.body:
        return {"isBase64Encoded": False}
    if request.has_text():
        return {"body": request.body.decode(), "isBase64Encoded": False}
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


def request_time(seconds: float) -> str:
    """Write a moment as API Gateway does: 12/Mar/2020:19:03:58 +0000."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(seconds))


def _cookies(request: HttpRequest) -> list[str]:
    pieces = (part for name, value in request.headers if name.lower() == "cookie"
              for part in value.split(";"))  # fmt: skip
    return [piece.strip() for piece in pieces if piece.strip()]


def _context(match: Match) -> Document:
    request, site = match.request, match.site
    anonymous = site.style == "url" and site.auth.type == "none"
    context: Document = {
        "accountId": "anonymous" if anonymous else match.account,
        "apiId": site.id,
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.decoded_path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent"),
        },
        "requestId": request.request_id,
        "routeKey": match.route_key,
        "stage": "$default",
        "time": request_time(request.time),
        "timeEpoch": int(request.time * 1000),
    }
    return context | ({"authorizer": match.authorizer} if match.authorizer else {})
