"""A gateway's parts, put together once: what serves requests, and what works beside them.

Three listeners: clients', the pods' (packages, by ticket) and the health port's. In local mode one
port serves all three. `pipeline` shows the way of a request.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

from pilotlight.aws.buckets import Buckets
from pilotlight.aws.client import AwsClients
from pilotlight.aws.credentials import AwsCredentials
from pilotlight.aws.roles import RoleSessions
from pilotlight.budget import ByteBudget
from pilotlight.errors import UnavailableError

from .apis.doors import find_service
from .apis.platform.service import HEALTH, INTERNAL
from .bodies import Bodies
from .event_sources import make_source
from .event_sources.keeper import Keeper
from .events.backlog import Backlog
from .events.dispatcher import EventDispatcher
from .events.pace import Pace
from .http.endpoint import HttpEndpoint
from .http.sites import Sites
from .invocation.catalogue import Catalogue
from .invocation.dispatch.dispatcher import Dispatcher
from .invocation.dispatch.log_sink import LogSink
from .invocation.invoker import Invoker
from .invocation.published import Published
from .invocation.rollout import Rollout
from .invocation.targets import Targets
from .invocation.tracing import Spans
from .logs.groups import LogGroups
from .logs.retention import Retention
from .logs.subscriptions import Subscriptions
from .metrics import Metrics
from .pipeline import ClientPipeline, Guard, Pipeline
from .schedules.scheduler import Scheduler
from .server import Server
from .services import Services

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from prometheus_client import CollectorRegistry

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.claims import Claims
    from pilotlight.resources import EventSourceMapping
    from pilotlight.role_grants import RoleGrant
    from pilotlight.storage import ArtifactStore, LogStore

    from .apis.service import Request, Service
    from .auth.caller import Authenticator
    from .event_queue.interface import EventQueue
    from .event_sources.source import Source
    from .invocation.otlp import OtlpExporter
    from .settings import Settings

__all__ = ["Gateway"]

DRAIN_SECONDS = 30.0
MOST_POLLED_BYTES = 128 << 20
"""Of records of event sources that are in memory at once."""


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
        guard: Guard | None = None,
        find_service: Callable[[Request, Service], Service] = find_service,
        registry: CollectorRegistry | None = None,
        measure: Callable[[], None] = lambda: None,
        identify_role: Callable[[RoleGrant], Awaitable[str | None]] | None = None,
    ) -> None:
        """`measure` brings up to date what others keep in the registry of metrics.

        `identify_role` gives tokens for roles that have ServiceAccounts.
        """
        self._authenticator = authenticator
        self._sink = LogSink(logs)
        self._server = Server()
        self._tasks: list[asyncio.Task[None]] = []
        self._draining = False
        metrics = Metrics(registry)
        self._sink.metrics = metrics.embedded
        self._measure_others = measure
        self._backlog = Backlog(events, metrics.events)
        catalogue, published = Catalogue(cache), Published(cache)
        targets = Targets(catalogue, published)
        dispatcher = Dispatcher(
            claims,
            settings.platform_key,
            self._sink,
            metrics.cold_starts,
            gateway=settings.gateway,
            most_claims=settings.most_claims,
            keep_alive=settings.keep_alive,
        )
        self._exporter = _exporter(settings)
        invoker = Invoker(
            targets=targets,
            dispatcher=dispatcher,
            queue=events,
            metrics=metrics.invocations,
            spans=Spans(self._exporter.export) if self._exporter else None,
        )
        groups = LogGroups(cache, catalogue)
        self._sink.subscriptions = Subscriptions(groups, invoker, accounts, settings.region)
        self._retention = Retention(groups, logs)
        credentials = AwsCredentials(settings, cache)
        bodies, clients = Bodies(), AwsClients(settings, credentials)
        polled_bytes = ByteBudget(MOST_POLLED_BYTES)
        self._budgets = {
            "bodies": bodies.budget,
            "answers": dispatcher.answers,
            "polled": polled_bytes,
            "aws_answers": clients.answers,
        }
        self.services = Services(
            settings=settings,
            bodies=bodies,
            cache=cache,
            resources=cache.resources,
            artifacts=artifacts,
            logs=logs,
            catalogue=catalogue,
            published=published,
            targets=targets,
            dispatcher=dispatcher,
            invoker=invoker,
            log_groups=groups,
            events=events,
            aws_credentials=credentials,
            aws_clients=clients,
            buckets=Buckets(settings.region, credentials, clients),
            roles=RoleSessions(settings.region, credentials, clients, identify=identify_role),
            polled_bytes=polled_bytes,
            metrics=metrics,
            is_ready=lambda: self.ready,
            measure=self._measure,
        )
        claims.bind(dispatcher)
        self._rollout = Rollout(cache, catalogue, dispatcher, claims)
        sites = Sites(settings, cache=cache, catalogue=catalogue)
        http = HttpEndpoint(settings, sites, invoker, authenticator, bodies)
        self._clients = ClientPipeline(self.services, authenticator, http, guard, find_service)
        self._pace = Pace(lambda: self._clients.requests)
        self._asynchronous = EventDispatcher(
            invoker=invoker, targets=targets, queue=events, metrics=metrics.events,
            settings=settings, credentials=credentials, pace=self._pace,
        )  # fmt: skip
        self._accounts = accounts
        self._event_sources = Keeper(self.services, self._make_source)
        self._scheduler = Scheduler(
            cache=cache, catalogue=catalogue, accounts=accounts,
            invoker=invoker, metrics=metrics.schedules, region=settings.region,
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
        yield self._retention.run()
        yield self._event_sources.run()

    async def listen(self, host: str, port: int, *, bound: socket.socket | None = None) -> int:
        """Serve clients; returns the port. Raises OSError where it is in use."""
        clients = self._clients
        return await self._server.listen(clients.handle, host, port, bound=bound, plain=clients)

    async def listen_internal(self, host: str, port: int) -> int:
        """Serve packages to pods."""
        return await self._server.listen(self._pipeline(INTERNAL).handle, host, port)

    async def listen_health(self, host: str, port: int) -> int:
        """Serve live, ready and metrics."""
        return await self._server.listen(self._pipeline(HEALTH).handle, host, port)

    def drain(self) -> None:
        """Say that requests should go elsewhere; those that still come are served."""
        self._draining = self._clients.draining = True

    async def stop(self, *, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Refuse new requests, let running ones end, give every environment back."""
        self.drain()
        await asyncio.gather(
            self._server.close(drain_seconds=drain_seconds),
            self._event_sources.close(drain_seconds=drain_seconds),
        )
        await self._asynchronous.close(drain_seconds=drain_seconds)
        await self.services.aws_clients.close()
        await self.services.dispatcher.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sink.flush()
        if self._exporter is not None:
            await asyncio.to_thread(self._exporter.close)

    async def _make_source(self, mapping: EventSourceMapping) -> Source:
        account = await self._accounts.account(mapping.metadata.namespace)
        return make_source(self.services, account, mapping)

    def _pipeline(self, service: Service) -> Pipeline:
        """Make the pipeline of a port that serves nothing else."""
        return Pipeline(self.services, lambda _: service, self._authenticator)

    async def _measure(self) -> None:
        self._measure_others()
        await self._backlog.measure()
        metrics, dispatcher = self.services.metrics, self.services.dispatcher
        for name, budget in self._budgets.items():
            metrics.budget_used.labels(name).set(budget.used)
        metrics.log_lines_dropped.set(self._sink.dropped)
        metrics.environments.clear()
        for revision in dispatcher.queues:
            for state, count in dispatcher.environments(revision).items():
                metrics.environments.labels(revision.namespace, revision.function, state).inc(count)


def _exporter(settings: Settings) -> OtlpExporter | None:
    """Return what sends spans, where there is a receiver; raises UnavailableError."""
    if not settings.otlp_endpoint:
        return None
    try:
        from .invocation.otlp import OtlpExporter  # noqa: PLC0415  an extra, loaded if it is used
    except ModuleNotFoundError as error:
        raise UnavailableError(f"{error.name} is missing: install pilotlight[otel]") from error
    return OtlpExporter(settings.otlp_endpoint, settings.region)
