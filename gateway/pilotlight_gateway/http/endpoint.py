"""The way of a plain HTTP request to a function and back; `_answer` shows the whole of it.

A function is called through `invocation.invoker`, so concurrency, throttles, versions, metrics and
logs are the same as for any other caller.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError
from pilotlight.openid import read_keys
from pilotlight.public_addresses import fetch
from pilotlight_gateway import errors
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.identifiers import new_request_id, new_root
from pilotlight_gateway.invocation.behalf import as_service
from pilotlight_gateway.invocation.invocation import (
    LARGEST_ASYNC_EVENT,
    LARGEST_EVENT,
    STREAM_SECONDS,
    Invocation,
)
from pilotlight_gateway.invocation.lineage import continue_trace
from pilotlight_gateway.invocation.reference import Reference
from pilotlight_gateway.paths import split_target
from pilotlight_gateway.plain_request import PlainRequest

from . import cors
from .authorisation import Authorisation
from .authorizer import Authorizer, route_arn
from .errors import HttpError, say, unknown_url
from .issuers import Issuers
from .message import HttpRequest, HttpResponse
from .payload import FORMATS
from .push import push_formats
from .rate_limit import RateLimiter
from .sites import UnknownUrlError
from .streaming import streamed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web_request import BaseRequest

    from pilotlight.policies import PolicyRequest
    from pilotlight_gateway.auth.caller import Authenticator
    from pilotlight_gateway.bodies import Bodies, Body
    from pilotlight_gateway.invocation.invocation import Answer
    from pilotlight_gateway.invocation.invoker import Invoker
    from pilotlight_gateway.settings import Settings

    from .push import Pushed
    from .site import Match, Style
    from .sites import Sites

__all__ = ["HttpEndpoint", "event_of"]

LARGEST_HEAD = 10_240
"""Bytes of request target, header names and values (API Gateway, "Quotas for HTTP APIs")."""
LARGEST_BALANCER_HEAD = 65_536
"""The same of a load balancer, whose single headers are within the server's limit."""
_TRACE = "x-amzn-trace-id"
_OF_THE_GATEWAY = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", _TRACE}

log = structlog.get_logger()


class HttpEndpoint:
    """Answers requests to function URLs and routes."""

    def __init__(
        self,
        settings: Settings,
        sites: Sites,
        invoker: Invoker,
        authenticator: Authenticator,
        bodies: Bodies,
    ) -> None:
        self.sites = sites
        self._bodies = bodies
        self._invoker = invoker
        self._rates = RateLimiter()
        issuers = Issuers(partial(read_keys, private=settings.private_addresses))
        self._pushes = push_formats(partial(fetch, private=settings.private_addresses))
        self._authorisation = Authorisation(authenticator, issuers, Authorizer(self._ask))

    async def serve(self, request: BaseRequest | PlainRequest, request_id: str) -> Reply:
        """Answer a request; what goes wrong is said in the words of what was addressed."""
        incoming = _incoming(request, request_id)
        try:
            return _reply(await self._respond(request, incoming))
        except UnknownUrlError:
            return _reply(unknown_url())
        except HttpError as error:  # no route fits
            return _reply(say(error, "2.0"))

    async def _respond(
        self, request: BaseRequest | PlainRequest, incoming: HttpRequest
    ) -> HttpResponse:
        """Answer a request, with the headers that a page of another origin needs to read it."""
        if (allowed := self._preflight(incoming)) is not None:
            return allowed
        match = self.sites.match(incoming, incoming.method)
        try:
            response = await self._answer(request, match)
        except HttpError as error:
            response = say(error, match.site.style)
        if match.site.cors is not None:
            cors.add_headers(match.site.cors, incoming, response)
        return response

    def _preflight(self, incoming: HttpRequest) -> HttpResponse | None:
        """Answer a preflight by the rules of the site that it asks for; None leaves it to it."""
        if not cors.is_preflight(incoming):
            return None
        try:
            match = self.sites.match(incoming, incoming.header("access-control-request-method"))
        except HttpError:
            return None
        rules = match.site.cors
        return None if rules is None else cors.answer_preflight(rules, incoming)

    async def _answer(self, request: BaseRequest | PlainRequest, match: Match) -> HttpResponse:
        _check_head(request, match.site.style)
        self._limit(match)
        found = await self._authorisation.check_head(match)
        verify = await self._authorisation.check_signed_head(request, match)
        async with self._reading(request, match.site.namespace) as body:
            found |= self._authorisation.check_signature(match, verify, body)
            incoming = replace(match.request, body=body.content)
            match = replace(match, request=incoming, authorizer=found)
            if (push := self._pushes.get(match.site.style)) is not None:
                return await self._keep(match, await push.events(match))
            streams = match.site.streams
            answer = await self._invoke(
                match, match.site.reference, event_of(match), stream=streams
            )
        return await (streamed(answer) if streams else _whole(answer, match))

    @asynccontextmanager
    async def _reading(
        self, request: BaseRequest | PlainRequest, owner: str
    ) -> AsyncIterator[Body]:
        """Read a body; what is wrong with it is said as sites say it."""
        try:
            reading = self._bodies.reading(
                request, LARGEST_EVENT, errors.RequestTooLargeError, owner=owner
            )
            async with reading as body:
                yield body
        except errors.ApiError as error:
            raise HttpError(
                error.status, error.message, headers=tuple(error.headers.items())
            ) from error

    def _limit(self, match: Match) -> None:
        rate = match.site.rate
        if rate is None:
            return
        decision = self._rates.take(time.monotonic(), match.site.id, rate)
        if not decision.allowed:
            raise HttpError(429, headers=(("Retry-After", str(decision.retry_after)),))

    async def _keep(self, match: Match, pushed: list[Pushed]) -> HttpResponse:
        """Queue what was pushed for the function; nothing, as of a confirmation, is 200."""
        if not match.account:
            raise HttpError(502)
        events = [(_json(one.event, 400), one.dedup_key) for one in pushed]
        if any(len(event) > LARGEST_ASYNC_EVENT for event, _ in events):
            raise HttpError(413)  # of all: none is kept
        for event, key in events:
            await self._enqueue(match, event, key)
        return HttpResponse(202 if pushed else 200)

    async def _enqueue(self, match: Match, event: bytes, key: str) -> None:
        reference = _reference(match, match.site.reference)
        invocation = replace(_invocation(match, reference, event), request_id=new_request_id())
        if key:  # the sender's, of any length; of this route alone
            key = f"{match.site.id}/{sha256(key.encode(errors='replace')).hexdigest()}"
        try:
            await self._invoker.enqueue(reference, invocation, dedup_key=key, behalf=_behalf(match))
        except (errors.ApiError, PilotlightError) as error:
            raise _problem(error, match) from error

    async def _ask(self, match: Match, reference: str, event: bytes) -> bytes:
        """Invoke an authorizer function, as a request of its own."""
        request = replace(match.request, request_id=new_request_id())
        answer = await self._invoke(replace(match, request=request), reference, event)
        return await answer.read()

    async def _invoke(
        self, match: Match, name: str, event: bytes, *, stream: bool = False
    ) -> Answer:
        """Invoke a function of the site's account, `name` or `name:qualifier`; raises HttpError."""
        if len(event) > LARGEST_EVENT:
            raise HttpError(413)
        if not match.account:
            raise HttpError(502)
        reference = _reference(match, name)
        try:
            invocation = _invocation(match, reference, event, stream=stream)
            answer = await self._invoker.invoke(reference, invocation, behalf=_behalf(match))
        except (errors.ApiError, PilotlightError) as error:
            raise _problem(error, match) from error
        if answer.function_error:
            answer.release()
            raise HttpError(502)
        return answer


def _incoming(request: BaseRequest | PlainRequest, request_id: str) -> HttpRequest:
    """Read a request's head."""
    host = request.headers.get("Host", "")
    path, query = split_target(_text(request.raw_path), host)
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


def _check_head(request: BaseRequest | PlainRequest, style: Style) -> None:
    """Refuse a head that is longer than the service would take that the site stands for."""
    if isinstance(request, PlainRequest):
        return  # none is as long (`plain_request.LARGEST_HEAD`)
    most = LARGEST_BALANCER_HEAD if style == "alb" else LARGEST_HEAD
    target = len(request.raw_path)
    if target > most:
        raise HttpError(414)
    if target + sum(len(name) + len(value) for name, value in request.raw_headers) > most:
        raise HttpError(431)


def _headers(request: BaseRequest | PlainRequest, host: str) -> tuple[tuple[str, str], ...]:
    """Return the headers that came, and those that AWS's front doors add."""
    came = request.headers
    proto = came.get("X-Forwarded-Proto", request.scheme)
    port = host.partition(":")[2] or ("443" if proto == "https" else "80")
    way = [value for value in (came.get("X-Forwarded-For"), request.remote) if value]
    added = (
        ("X-Forwarded-For", ", ".join(way)),
        ("X-Forwarded-Proto", proto),
        ("X-Forwarded-Port", came.get("X-Forwarded-Port", port)),
        ("X-Amzn-Trace-Id", came.get(_TRACE) or new_root()),
    )
    kept = [
        (name, _text(value)) for name, value in came.items() if name.lower() not in _OF_THE_GATEWAY
    ]
    return (*kept, *added)


def _text(value: str) -> str:
    """Return what came as text that JSON can hold, whatever its bytes were."""
    if value.isascii():
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _whole(answer: Answer, match: Match) -> HttpResponse:
    """Make a response of an answer, which is in memory until the client has it."""
    with ExitStack() as giving_up:
        giving_up.callback(answer.release)
        response = FORMATS[match.site.style].response(await answer.hold())
        response.release = giving_up.pop_all().close
        return response


def event_of(match: Match) -> bytes:
    """Return the event; raises HttpError where an authorizer's context cannot be said in JSON."""
    return _json(FORMATS[match.site.style].event(match), 502)


def _json(document: object, status: int) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise HttpError(status) from error


def _reference(match: Match, name: str) -> Reference:
    function, _, qualifier = name.partition(":")
    namespace, account, region = match.site.namespace, match.account, match.region
    return Reference(namespace, account, region, function, qualifier or None)


def _behalf(match: Match) -> PolicyRequest | None:
    """Return in whose name a route invokes; of a function URL its callers were judged."""
    if match.site.style == "url":
        return None
    return as_service("apigateway.amazonaws.com", route_arn(match), match.account)


def _invocation(
    match: Match, reference: Reference, event: bytes, *, stream: bool = False
) -> Invocation:
    request = match.request
    trace_id = continue_trace(request.header(_TRACE), reference)
    return Invocation(request.request_id, reference.arn, trace_id, event, stream=stream)


def _problem(error: errors.ApiError | PilotlightError, match: Match) -> HttpError:
    if isinstance(error, PilotlightError):
        error = errors.translate(error)
    log.info(
        "http request not answered", function=match.site.reference,
        request_id=match.request.request_id, why=error.message,
    )  # fmt: skip
    headers = tuple(error.headers.items())
    passed_on = {429, 413, 503}
    return HttpError(error.status if error.status in passed_on else 502, headers=headers)


def _reply(response: HttpResponse) -> Reply:
    """Hand a response to the gateway, which adds the request id."""
    kinds = [value for name, value in response.headers if name.lower() == "content-type"]
    rest = [pair for pair in response.headers if pair[0].lower() != "content-type"]
    reply = Reply(
        response.status,
        response.body,
        content_type=kinds[-1] if kinds else "application/json",
        repeated=rest,
        release=response.release,
    )
    if not isinstance(response.body, bytes):
        reply.seconds = STREAM_SECONDS
    return reply
