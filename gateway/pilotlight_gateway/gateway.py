"""The gateway: listens, and takes every request its way (`_handle`, then `_serve`).

Three listeners: clients', the pods' (artifacts, by ticket) and the operations' (live, ready,
metrics). In local mode one port serves all three.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

import structlog
from aiohttp import web

from pilotlight.errors import PilotlightError
from pilotlight.publishing import version_revision
from pilotlight.resources import FunctionVersion

from . import errors
from .apis.platform.artifacts import get_artifact
from .auth.caller import RequestHead
from .auth.credentials import parse_authorization
from .bodies import read_body
from .connections import GuardedServer
from .events.dispatcher import AsynchronousDispatcher
from .events.pace import Pace
from .exchange import Call, Reply
from .http.endpoint import HttpEndpoint
from .identifiers import new_request_id
from .invocation.catalogue import Catalogue, revision_key
from .invocation.dispatch.agent_events import LogSink
from .invocation.dispatch.dispatcher import Dispatcher
from .invocation.published import Published
from .metrics import Metrics
from .paths import normalise
from .responses import error_reply, write
from .routes import find_endpoint
from .schedules.scheduler import Scheduler
from .services import Services

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from aiohttp.web_request import BaseRequest

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.claims import Claims
    from pilotlight.resources import Function
    from pilotlight.storage import ArtifactStore, LogStore

    from .auth.caller import Authenticator
    from .event_queue.interface import EventQueue
    from .routes import Endpoint
    from .settings import Settings

__all__ = ["Gateway"]

KEEP_ALIVE_SECONDS = 75.0
DRAIN_SECONDS = 30.0
_ARTIFACTS = "/-/artifacts/"

log = structlog.get_logger()


class Gateway:
    """One gateway process's parts and listeners."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name
        self,
        settings: Settings,
        *,
        cache: Cache,
        artifacts: ArtifactStore,
        logs: LogStore,
        accounts: Accounts,
        claims: Claims,
        events: EventQueue,
        authenticator: Authenticator,
    ) -> None:
        self.settings = settings
        self._authenticator = authenticator
        self._claims = claims
        self._sink = LogSink(logs)
        self._runners: list[web.ServerRunner] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._draining = False
        metrics = Metrics()
        self.services = Services(
            settings=settings,
            cache=cache,
            resources=cache.resources,
            artifacts=artifacts,
            logs=logs,
            accounts=accounts,
            catalogue=Catalogue(cache),
            published=Published(cache),
            dispatcher=Dispatcher(
                claims,
                settings.platform_key,
                self._sink,
                metrics.cold_starts,
                gateway=settings.gateway,
                most_claims=settings.most_claims,
            ),
            events=events,
            metrics=metrics,
        )
        self._requests = 0
        self._pace = Pace(lambda: self._requests)
        self._asynchronous = AsynchronousDispatcher(self.services, self._pace)
        self.services.catalogue.on_change(self._function_changed)
        cache.on_change(FunctionVersion, self._version_changed)
        claims.bind(self.services.dispatcher)
        self._http = HttpEndpoint(self.services, authenticator)
        self._scheduler = Scheduler(
            cache=cache, catalogue=self.services.catalogue, accounts=accounts,
            queue=events, metrics=self.services.metrics, region=settings.region,
        )  # fmt: skip

    @property
    def ready(self) -> bool:
        """Whether invocations are served."""
        return self.services.cache.synced.is_set() and not self._draining

    async def start(self) -> None:
        """Start what runs beside requests, and wait until every resource is known.

        Whoever made the cache runs it.
        """
        self._tasks += [asyncio.create_task(work) for work in self._background()]
        await self.services.cache.synced.wait()
        # What was made until here lives as long as the process: no collection need look at it.
        gc.collect()
        gc.freeze()

    def _background(self) -> Iterable[Coroutine[Any, Any, None]]:
        yield self.services.dispatcher.run()
        yield self._pace.run()
        yield self._asynchronous.run()
        yield self._scheduler.run()
        yield self._sink.run()

    async def listen(self, host: str, port: int) -> int:
        """Serve clients; gives the port. Raises OSError where it is in use."""
        return await self._listen(self._handle, host, port)

    async def listen_internal(self, host: str, port: int) -> int:
        """Serve artifacts to pods."""
        return await self._listen(self._handle_internal, host, port)

    async def listen_operations(self, host: str, port: int) -> int:
        """Serve live, ready and metrics."""
        return await self._listen(self._handle_operations, host, port)

    def drain(self) -> None:
        """Say that requests should go elsewhere; those that still come are served."""
        self._draining = True

    async def stop(self, *, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Refuse new requests, let running ones end, give every environment back."""
        self.drain()
        for runner in self._runners:
            runner._shutdown_timeout = drain_seconds  # noqa: SLF001  known only now
            await runner.cleanup()
        await self._asynchronous.close(drain_seconds=drain_seconds)
        await self.services.dispatcher.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sink.flush()

    async def _serve(self, request: BaseRequest, request_id: str) -> Reply:
        path, raw_query = normalise(request.raw_path, request.headers.get("Host"))
        query = _query(raw_query)
        open_reply = await self._open_endpoint(request, path, query)
        if open_reply is not None:
            return open_reply
        self._refuse_other_services(request.headers)
        endpoint = find_endpoint(request.method, path, query)
        body = await read_body(request, endpoint.limit, endpoint.too_large)
        head = RequestHead(request.method, path, raw_query, request.headers)
        caller = await self._authenticator.authenticate(head, body)
        call = Call(
            caller=caller,
            request_id=request_id,
            headers=request.headers,
            parameters=endpoint.parameters,
            query=query,
            body=body,
            origin=f"{request.scheme}://{request.headers.get('Host', '')}",
            input=endpoint.input(query, request.headers, body),
        )
        return await self._answer(endpoint, call)

    async def _answer(self, endpoint: Endpoint, call: Call) -> Reply:
        reply = await endpoint.handler(self.services, call)
        if endpoint.name != "Invoke":
            log.info(
                "request", operation=endpoint.name, account=call.caller.account,
                principal=call.caller.principal, request_id=call.request_id, status=reply.status,
            )  # fmt: skip
        return reply

    async def _handle(self, request: BaseRequest) -> web.StreamResponse:
        self._requests += 1
        request_id = new_request_id()
        to_site = self._http.sites.serves(request.headers.get("Host", ""), request.raw_path)
        serve = self._http.serve if to_site else self._serve
        reply = await _guarded(serve(request, request_id), request_id)
        handler: Literal["api", "site"] = "site" if to_site else "api"
        self.services.metrics.answered_http(handler, request.method, reply.status)
        return await write(request, reply, request_id)

    async def _handle_internal(self, request: BaseRequest) -> web.StreamResponse:
        request_id = new_request_id()
        reply = await _guarded(self._serve_internal(request), request_id)
        return await write(request, reply, request_id)

    async def _handle_operations(self, request: BaseRequest) -> web.StreamResponse:
        request_id = new_request_id()
        reply = self._operations(request.raw_path)
        return await write(request, reply or error_reply(_unknown(request)), request_id)

    async def _serve_internal(self, request: BaseRequest) -> Reply:
        path, raw_query = normalise(request.raw_path, request.headers.get("Host"))
        reply = await self._artifact(request, path, _query(raw_query))
        if reply is None:
            raise _unknown(request)
        return reply

    async def _open_endpoint(
        self, request: BaseRequest, path: str, query: dict[str, str]
    ) -> Reply | None:
        """Answer what needs no credentials."""
        if not path.startswith("/-/"):
            return None
        return self._operations(path) or await self._artifact(request, path, query)

    async def _artifact(
        self, request: BaseRequest, path: str, query: dict[str, str]
    ) -> Reply | None:
        if request.method != "GET" or not path.startswith(_ARTIFACTS):
            return None
        return await get_artifact(
            self.services, path.removeprefix(_ARTIFACTS), query, request.headers
        )

    def _operations(self, path: str) -> Reply | None:
        match path:
            case "/-/live":
                return Reply(200, b'{"live":true}')
            case "/-/ready":
                ready = self.ready
                return Reply(
                    200 if ready else 503, b'{"ready":%s}' % (b"true" if ready else b"false")
                )
            case "/-/metrics":
                return self._metrics()
            case _:
                return None

    def _metrics(self) -> Reply:
        metrics, dispatcher = self.services.metrics, self.services.dispatcher
        metrics.log_lines_dropped.set(self._sink.dropped)
        metrics.environments.clear()
        for revision in dispatcher.queues:
            for state, count in dispatcher.environments(revision).items():
                metrics.environments.labels(revision.namespace, revision.function, state).inc(count)
        return Reply(200, metrics.render(), content_type="text/plain; version=0.0.4")

    def _refuse_other_services(self, headers: Mapping[str, str]) -> None:
        credentials = parse_authorization(headers.get("Authorization", ""))
        if credentials is not None and credentials.service != "lambda":
            raise errors.UnknownOperationError(
                f"The service '{credentials.service}' is not served here: only 'lambda' is."
            )

    def _function_changed(self, before: Function | None, after: Function | None) -> None:
        old = revision_key(before) if before else None
        new = revision_key(after) if after else None
        if old is not None and old != new:
            self.services.dispatcher.retire(old)
        if after is not None and new is not None:
            task = asyncio.create_task(self._acknowledge(after, new.revision))
            self._acknowledging.add(task)
            task.add_done_callback(self._acknowledging.discard)

    def _version_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        if before is not None and after is None:
            self.services.dispatcher.retire(version_revision(before))

    async def _acknowledge(self, function: Function, revision: str) -> None:
        with contextlib.suppress(PilotlightError):  # told again when the connection is back
            await self._claims.acknowledge(function.key, revision)

    async def _listen(
        self,
        handler: Callable[[BaseRequest], Awaitable[web.StreamResponse]],
        host: str,
        port: int,
    ) -> int:
        server = GuardedServer(
            handler, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, lingering_time=2.0
        )
        runner = web.ServerRunner(server)
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runners.append(runner)
        return int(runner.addresses[0][1])


async def _guarded(work: Awaitable[Reply], request_id: str) -> Reply:
    try:
        return await work
    except errors.ApiError as error:
        return error_reply(error)
    except PilotlightError as error:
        return error_reply(errors.translate(error))
    except Exception:
        log.exception("request failed", request_id=request_id)
        return error_reply(errors.ServiceError(f"Internal error; request id {request_id}"))


def _unknown(request: BaseRequest) -> errors.ApiError:
    return errors.UnknownOperationError(f"{request.method} {request.raw_path[:200]} is not served.")


def _query(raw: str) -> dict[str, str]:
    if not raw:
        return {}
    pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=100)
    query = dict(pairs)
    if len(query) != len(pairs):
        raise errors.ValidationError("a query parameter is repeated")
    return query
