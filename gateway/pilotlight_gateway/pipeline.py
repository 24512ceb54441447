"""The way of a request: normalise, authenticate, authorise, operate, write (`Pipeline._operate`).

A port has one pipeline. `server` brings requests here, `apis` has the services' doors and tables,
`auth` the two steps in the middle. Function URLs and routes have a way of their own (`http`), which
begins and ends here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal, Protocol

import structlog

from pilotlight.errors import PilotlightError

from . import errors
from .apis.doors import find_service
from .apis.platform.service import CLIENTS, PLATFORM
from .apis.protocols import error_in
from .apis.service import Request
from .auth.caller import NOBODY
from .auth.credentials import parse_authorization
from .authorisation import authorise
from .exchange import Call, parse_query
from .identifiers import new_request_id
from .paths import normalise, split_target
from .plain_request import HEADS, PlainHead, PlainRequest
from .responses import write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.web_request import BaseRequest

    from .apis.service import Endpoint, Service
    from .auth.caller import Authenticator, Caller, Hashed, Verify
    from .exchange import Reply
    from .http.endpoint import HttpEndpoint
    from .services import Services

__all__ = ["ClientPipeline", "Guard", "Pipeline"]

log = structlog.get_logger()


class Guard(Protocol):
    """Refuses clients' requests by their headers alone; local mode has one (browsers)."""

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Raise ApiError where a request is for a host that is not served; sites have theirs."""
        ...

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raise ApiError where a page sent what it may not; sites have rules of their own."""
        ...


class _Asked:
    """A head and the service that it is for."""

    __slots__ = ("_endpoint", "head", "service")

    def __init__(self, head: Request, service: Service) -> None:
        self.head = head
        self.service = service
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """What answers, which is looked for once; raises ApiError."""
        if self._endpoint is None:
            self._endpoint = self.service.find(self.head)
        return self._endpoint


class Pipeline:
    """The way of requests to the services of one port."""

    def __init__(
        self,
        services: Services,
        find_service: Callable[[Request], Service],
        authenticator: Authenticator,
    ) -> None:
        self._services = services
        self._find_service = find_service
        self._authenticator = authenticator

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        request_id = new_request_id()
        return await write(request, await self._reply(request, request_id), request_id)

    async def _reply(self, request: BaseRequest | PlainRequest, request_id: str) -> Reply:
        return await self._answer(request, request_id)

    async def _answer(self, request: BaseRequest | PlainRequest, request_id: str) -> Reply:
        """Reply to a request; what goes wrong is said in the protocol of its service."""
        asked = None
        try:
            asked = self._look_at(request.head if isinstance(request, PlainRequest) else request)
            return await self._operate(request, asked.head, asked.endpoint, request_id)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
            said = _translated(error, request_id)
            if asked is None:
                return error_in("rest-json", said, request_id)
            return asked.service.error(asked.head, said, request_id)

    def _look_at(self, request: BaseRequest | PlainHead) -> _Asked:
        """Find the service that a head is for; raises ApiError."""
        self._check(request)
        head = _head_of(request)
        return _Asked(head, self._find_service(head))

    def _check(self, request: BaseRequest | PlainHead) -> None:
        """Refuse what must not even be looked at: nothing, but for clients of some gateways."""

    async def _operate(
        self,
        request: BaseRequest | PlainRequest,
        head: Request,
        endpoint: Endpoint,
        request_id: str,
    ) -> Reply:
        verify: Verify = _believe
        if not endpoint.anonymous:
            verify = await self._authenticator.check_head(head)
        if isinstance(request, PlainRequest):
            caller = verify(request)
            return await self._perform(
                head, endpoint, caller, request.body, request_id, request.remote
            )
        bodies, limit, too_large = self._services.bodies, endpoint.limit, endpoint.too_large
        encoding = request.headers.get("Content-Encoding", "")
        credentials = parse_authorization(request.headers.get("Authorization", ""))
        owner = credentials.access_key if credentials else ""
        async with bodies.reading(request, limit, too_large, owner=owner) as body:
            caller = verify(body)
            async with bodies.decompressed(body.content, encoding, limit, too_large) as content:
                return await self._perform(
                    head, endpoint, caller, content, request_id, request.remote or ""
                )

    async def _perform(  # noqa: PLR0913, PLR0917  what a call is made of
        self,
        head: Request,
        endpoint: Endpoint,
        caller: Caller,
        body: bytes,
        request_id: str,
        source_ip: str,
    ) -> Reply:
        """Have an authenticated caller's operation done, if it may ask for it."""
        read = endpoint.input
        call = Call(
            operation=endpoint.operation,
            caller=caller,
            request_id=request_id,
            headers=head.headers,
            parameters=endpoint.parameters,
            query=head.query,
            body=body,
            origin=f"{self._services.settings.scheme}://{head.headers.get('Host', '')}",
            input=read(head.query, head.headers, body) if read else {},
            source_ip=source_ip,
        )
        await authorise(self._services, call, endpoint.access)
        reply = await endpoint.handler(self._services, call)
        if endpoint.logged:
            _log(call, reply)
        return reply


class ClientPipeline(Pipeline):
    """The way of clients' requests: to AWS's services, the platform, function URLs and routes."""

    def __init__(
        self,
        services: Services,
        authenticator: Authenticator,
        http: HttpEndpoint,
        guard: Guard | None = None,
        find_service: Callable[[Request, Service], Service] = find_service,
    ) -> None:
        platform = PLATFORM if services.settings.one_port else CLIENTS
        super().__init__(services, lambda request: find_service(request, platform), authenticator)
        self.requests = 0
        """How many have come."""
        self.draining = False
        """Whether clients are to send their next request on another connection, elsewhere."""
        self._http = http
        self._guard = guard
        self._known = functools.lru_cache(HEADS)(super()._look_at)
        """What was found of plain heads, which are the same objects while they are known."""

    def takes(self, request: PlainRequest) -> bool:
        """Whether this is an invocation, or a function URL's or a route's own request."""
        return request.head.is_invocation or self._is_for_site(request)

    async def reply(self, request: PlainRequest) -> tuple[Reply, str]:
        """Answer a request that has arrived whole; returns its request id too."""
        request_id = new_request_id()
        return await self._reply(request, request_id), request_id

    async def _reply(self, request: BaseRequest | PlainRequest, request_id: str) -> Reply:
        self.requests += 1
        if self._is_for_site(request):
            reply = await self._reply_of_site(request, request_id)
            handler: Literal["api", "site"] = "site"
        else:
            reply, handler = await self._answer(request, request_id), "api"
        self._services.metrics.answered_http(handler, request.method, reply.status)
        return self._parting(reply)

    def _parting(self, reply: Reply) -> Reply:
        """Tell a client that is to go elsewhere: a close of ours could cross its next request."""
        if self.draining:
            reply.headers = {**reply.headers, "Connection": "close"}
        return reply

    def _look_at(self, request: BaseRequest | PlainHead) -> _Asked:
        if isinstance(request, PlainHead):
            return self._known(request)
        return super()._look_at(request)

    def _is_for_site(self, request: BaseRequest | PlainRequest) -> bool:
        host = _host_of(request)
        if isinstance(request, PlainRequest):
            return self._http.sites.serves(host, request.head.raw_path)
        try:
            path, _ = split_target(request.raw_path, host)
        except errors.ValidationError:
            path = ""  # it is refused on either way
        return self._http.sites.serves(host, path)

    def _check(self, request: BaseRequest | PlainHead) -> None:
        if self._guard is not None:
            self._guard.check_host(request.headers)
            self._guard.check_origin(request.headers)

    async def _reply_of_site(self, request: BaseRequest | PlainRequest, request_id: str) -> Reply:
        try:
            if self._guard is not None and not self._http.sites.owns(_host_of(request)):
                self._guard.check_host(request.headers)
            return await self._http.serve(request, request_id)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
            return error_in("rest-json", _translated(error, request_id), request_id)


def _believe(_: Hashed) -> Caller:
    """Verify what needs no credentials."""
    return NOBODY


def _host_of(request: BaseRequest | PlainHead | PlainRequest) -> str:
    return request.headers.get("Host", "")


def _head_of(request: BaseRequest | PlainHead) -> Request:
    """Normalise a request's head: what is routed, signed and authorised is one and the same."""
    path, raw_query = normalise(request.raw_path, _host_of(request))
    return Request(request.method, path, raw_query, request.headers, parse_query(raw_query))


def _translated(error: Exception, request_id: str) -> errors.ApiError:
    match error:
        case errors.ApiError():
            return error
        case PilotlightError():
            return errors.translate(error)
        case _:
            log.error("request failed", request_id=request_id, exc_info=error)
            return errors.ServiceError(f"Internal error; request id {request_id}")


def _log(call: Call, reply: Reply) -> None:
    log.info(
        "request", operation=call.operation, account=call.caller.account,
        principal=call.caller.principal, request_id=call.request_id, status=reply.status,
    )  # fmt: skip
