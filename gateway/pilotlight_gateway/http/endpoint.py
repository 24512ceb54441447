"""The way of a plain HTTP request to a function and back; `_answer` shows the whole of it.

A function is called through the Lambda API's own `Invoke`, so concurrency, throttles, versions,
metrics and logs are the same as for any other caller.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from multidict import CIMultiDict

from pilotlight.errors import PilotlightError
from pilotlight_gateway import errors
from pilotlight_gateway.apis.lambda_.invoke import LARGEST_EVENT, invoke
from pilotlight_gateway.auth.caller import Caller
from pilotlight_gateway.bodies import read_body
from pilotlight_gateway.exchange import Call, Query, Reply
from pilotlight_gateway.identifiers import new_request_id, new_trace_id

from . import cors
from .authorisation import Authorisation
from .authorizer import Authorizer
from .errors import HttpError, say, unknown_url
from .issuers import Issuers
from .message import HttpRequest, HttpResponse
from .payload import FORMATS
from .rate_limit import RateLimiter
from .sites import Sites, UnknownUrlError

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from pilotlight_gateway.auth.caller import Authenticator
    from pilotlight_gateway.services import Services

    from .site import Meeting

__all__ = ["HttpEndpoint"]

_TRACE = "x-amzn-trace-id"
_OF_THE_GATEWAY = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", _TRACE}

log = structlog.get_logger()


class HttpEndpoint:
    """Answers requests to function URLs and routes."""

    def __init__(self, services: Services, authenticator: Authenticator) -> None:
        self.sites = Sites(services)
        self._services = services
        self._rates = RateLimiter()
        self._authorisation = Authorisation(authenticator, Issuers(), Authorizer(self._ask))

    async def serve(self, request: BaseRequest, request_id: str) -> Reply:
        """Answer a request; what goes wrong is said in the words of what was addressed."""
        incoming = _incoming(request, request_id)
        try:
            return _reply(await self._respond(request, incoming))
        except UnknownUrlError:
            return _reply(unknown_url())
        except HttpError as error:  # no route fits
            return _reply(say(error, "2.0"))

    async def _respond(self, request: BaseRequest, incoming: HttpRequest) -> HttpResponse:
        """Answer a request, with the headers that a page of another origin needs to read it."""
        if (allowed := self._preflight(incoming)) is not None:
            return allowed
        meeting = self.sites.meet(incoming, incoming.method)
        try:
            response = await self._answer(request, meeting)
        except HttpError as error:
            response = say(error, meeting.site.style)
        if meeting.site.cors is not None:
            cors.add_headers(meeting.site.cors, incoming, response)
        return response

    def _preflight(self, incoming: HttpRequest) -> HttpResponse | None:
        """Answer a preflight by the rules of the site that it asks for; None leaves it to it."""
        if not cors.is_preflight(incoming):
            return None
        try:
            meeting = self.sites.meet(incoming, incoming.header("access-control-request-method"))
        except HttpError:
            return None
        rules = meeting.site.cors
        return None if rules is None else cors.answer_preflight(rules, incoming)

    async def _answer(self, request: BaseRequest, meeting: Meeting) -> HttpResponse:
        self._limit(meeting)
        found = await self._authorisation.check_head(meeting)
        meeting = replace(meeting, request=await _with_body(request, meeting.request))
        found |= await self._authorisation.check_signature(request, meeting)
        meeting = replace(meeting, authorizer=found)
        payload = FORMATS[meeting.site.style]
        event = json.dumps(payload.event(meeting), ensure_ascii=False).encode()
        answer = await self._call(meeting, meeting.site.reference, event)
        return payload.response(answer)

    def _limit(self, meeting: Meeting) -> None:
        rate = meeting.site.rate
        if rate is None:
            return
        decision = self._rates.take(time.monotonic(), meeting.site.id, rate)
        if not decision.allowed:
            raise HttpError(429, headers=(("Retry-After", str(decision.retry_after)),))

    async def _ask(self, meeting: Meeting, reference: str, event: bytes) -> bytes:
        """Invoke an authorizer function, as a request of its own."""
        request = replace(meeting.request, request_id=new_request_id())
        return await self._call(replace(meeting, request=request), reference, event)

    async def _call(self, meeting: Meeting, reference: str, event: bytes) -> bytes:
        """Invoke a function of the site's account; raises HttpError."""
        call = _call_of(meeting, reference, event)
        try:
            reply = await invoke(self._services, call)
            answer = await _whole(reply)
        except (errors.ApiError, PilotlightError) as error:
            raise _problem(error, meeting) from error
        if "X-Amz-Function-Error" in reply.headers:
            raise HttpError(502)
        return answer


def _incoming(request: BaseRequest, request_id: str) -> HttpRequest:
    """Read a request's head."""
    path, _, query = _text(request.raw_path).partition("?")
    if not path.startswith("/"):
        raise errors.ValidationError(f"the request target {path[:200]!r} is no path")
    host = request.headers.get("Host", "")
    return HttpRequest(
        method=request.method,
        path=path,
        query=query,
        headers=_headers(request, host),
        host=host.partition(":")[0].lower(),
        source_ip=request.remote or "",
        protocol=f"HTTP/{request.version.major}.{request.version.minor}",
        request_id=request_id,
        time=time.time(),
    )


def _headers(request: BaseRequest, host: str) -> tuple[tuple[str, str], ...]:
    """Give the headers that came, and those that AWS's front doors add."""
    came = request.headers
    proto = came.get("X-Forwarded-Proto", request.scheme)
    port = host.partition(":")[2] or ("443" if proto == "https" else "80")
    way = [value for value in (came.get("X-Forwarded-For"), request.remote) if value]
    added = (
        ("X-Forwarded-For", ", ".join(way)),
        ("X-Forwarded-Proto", proto),
        ("X-Forwarded-Port", came.get("X-Forwarded-Port", port)),
        ("X-Amzn-Trace-Id", came.get(_TRACE) or new_trace_id()),
    )
    kept = [
        (name, _text(value)) for name, value in came.items() if name.lower() not in _OF_THE_GATEWAY
    ]
    return (*kept, *added)


def _text(value: str) -> str:
    """Give what came as text that JSON can hold, whatever its bytes were."""
    if value.isascii():
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _with_body(request: BaseRequest, incoming: HttpRequest) -> HttpRequest:
    try:
        body = await read_body(request, LARGEST_EVENT, errors.RequestTooLargeError)
    except errors.ApiError as error:
        raise HttpError(error.status, error.message) from error
    return replace(incoming, body=body)


def _call_of(meeting: Meeting, reference: str, event: bytes) -> Call:
    """Make the call of Invoke that the front door makes."""
    if len(event) > LARGEST_EVENT:
        raise HttpError(413)
    site, request = meeting.site, meeting.request
    if not meeting.account:
        raise HttpError(502)
    return Call(
        operation="Invoke",
        caller=Caller(meeting.account, site.namespace, f"http:{site.id}"),
        request_id=request.request_id,
        headers=CIMultiDict({_TRACE: request.header(_TRACE)}),
        parameters={"FunctionName": reference},
        query=Query(),
        body=event,
        origin="",
    )


async def _whole(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([piece async for piece in reply.body])


def _problem(error: errors.ApiError | PilotlightError, meeting: Meeting) -> HttpError:
    if isinstance(error, PilotlightError):
        error = errors.translate(error)
    log.info(
        "http request not answered", function=meeting.site.reference,
        request_id=meeting.request.request_id, why=error.message,
    )  # fmt: skip
    headers = tuple(error.headers.items())
    passed_on = {429, 413, 503}
    return HttpError(error.status if error.status in passed_on else 502, headers=headers)


def _reply(response: HttpResponse) -> Reply:
    """Hand a response to the gateway, which adds the request id."""
    kinds = [value for name, value in response.headers if name.lower() == "content-type"]
    rest = [pair for pair in response.headers if pair[0].lower() != "content-type"]
    return Reply(
        response.status,
        response.body,
        content_type=kinds[-1] if kinds else "application/json",
        repeated=rest,
    )
