"""The whole platform in this process: the parts of the cluster, wired for one machine.

Stores are files of the state folder, compute is subprocesses, the reconciler stands where kopf
does; gateway, autoscaler and function service are the cluster's own. `commands.dev` runs it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.errors import UnavailableError
from pilotlight.resources import IMAGE_RUNTIME
from pilotlight.resources.registry import KINDS
from pilotlight.runtimes import FAMILIES, OWN_PYTHON, family_of
from pilotlight.storage.directory_artifacts import DirectoryArtifacts
from pilotlight.storage.sqlite.logs import SqliteLogs
from pilotlight.storage.sqlite.resources import SqliteResources
from pilotlight_autoscaler.autoscaler import Autoscaler, AutoscalerSettings
from pilotlight_autoscaler.pools.decide import PoolSpec
from pilotlight_gateway.event_queue.sqlite import SqliteEventQueue
from pilotlight_gateway.gateway import Gateway
from pilotlight_gateway.settings import Settings
from pilotlight_operator.feeds.store import feed
from pilotlight_operator.reconciler import Reconciler
from pilotlight_operator.services import make_services
from pilotlight_operator.services.artifacts import ArtifactService
from pilotlight_operator.services.file_systems import MachineFolders
from pilotlight_operator.services.images import Images

from .accounts import SelfServiceAccounts, credentials_of
from .containers.agent_bundle import AgentBundle
from .containers.engines import Engines
from .containers.images import LocalImages
from .containers.pods import ContainerPods, left_behind
from .echo import EchoingLogs
from .front_page import find_service
from .languages import Languages
from .state_folder import StateFolder
from .subprocesses import SubprocessCompute
from .web_guard import WebGuard

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from .settings import LocalSettings


__all__ = ["LocalPlatform"]

LOOPBACK = "127.0.0.1"
FIRST_COLLECT_SECONDS = 60.0
"""After the start, which has enough to do."""
COLLECT_SECONDS = 3600.0
ENVIRONMENTS_PER_AGENT = 16
"""Of one revision. With an agent of its own an environment holds 41.5 MB and starts in 0.2 s, else
13.4 and 8 ms (docs/performance.md); and one wake-up serves several calls. Nothing was isolated."""
RUN_HERE = frozenset({IMAGE_RUNTIME}).union(
    *(one.supported for one in FAMILIES if not one.needs_image)
)
"""Runtimes that a machine runs without an image of the platform's, and functions' own images."""


class LocalPlatform:
    """A platform for one machine.

    Raises StateInUseError and StateVersionError when it is made, UnavailableError where its port
    is in use when it is started.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.endpoint = ""
        self._folder = StateFolder(settings.state)
        self._store = SqliteResources(self._folder.resources)
        self._cache = Cache(self._store, *KINDS.values())
        self.resources = self._cache.resources
        self._artifacts = DirectoryArtifacts(self._folder.artifacts)
        self._logs = SqliteLogs(self._folder.logs)
        self._events = SqliteEventQueue(self._folder.path / "events.sqlite")
        self._accounts = Accounts(self._cache)
        self._callers = SelfServiceAccounts(self._cache, self._accounts, settings.account)
        self.languages = Languages(settings.cache, settings.tell)
        self._engines = Engines(settings.tell, settings.engine)
        self._bundle = AgentBundle(settings.cache)
        self._images = Images(LocalImages(self._engines, self._bundle))
        self._platform_key = self._folder.platform_key()
        self._registry = CollectorRegistry()
        self._environment: dict[str, str] = {}
        """Variables that every function gets."""
        self._listener: socket.socket | None = None
        self._autoscaler = self._make_autoscaler()
        self._gateway = self._make_gateway()
        self._reconciler = self._make_reconciler()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Serve; `endpoint` says where."""
        self._listener = self._bind()
        # Bound before anything runs: every function is told where its platform is.
        self.endpoint = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"
        self._environment["AWS_ENDPOINT_URL_LAMBDA"] = self.endpoint
        await self._callers.open()
        self._tasks = [asyncio.create_task(work) for work in self._background()]
        self._autoscaler.start()
        await self._gateway.start()
        await self._gateway.listen(self.settings.listen, self.settings.port, bound=self._listener)

    async def stop(self) -> None:
        """Let running calls end, end every environment and close the state folder."""
        self._compute.hurry()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reconciler.close()
        await self._images.close()
        await self._gateway.stop()
        await self._autoscaler.close()
        if self._listener is not None:
            self._listener.close()
        self._store.close()
        self._logs.close()
        await self._events.close()
        self._folder.close()

    def _bind(self) -> socket.socket:
        try:
            return socket.create_server((self.settings.listen, self.settings.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise UnavailableError(
                f"port {self.settings.port} is in use: stop what listens there, "
                "or give another with --port"
            ) from error

    def _background(self) -> Iterable[Coroutine[Any, Any, None]]:
        yield feed(self._cache, self._reconciler)
        yield self._collect()
        yield self._clear()

    def _make_autoscaler(self) -> Autoscaler:
        pods = self._folder.path / "pods"
        # What a killed platform left behind; its agents ended with it, and containers should have.
        self._left_behind = left_behind(pods)
        shutil.rmtree(pods, ignore_errors=True)
        if self.settings.aws_endpoint_url:
            self._environment["AWS_ENDPOINT_URL"] = self.settings.aws_endpoint_url
        containers = ContainerPods(self._engines, self._bundle, ENVIRONMENTS_PER_AGENT)
        self._compute = SubprocessCompute(pods, self._platform_key, self.languages.find, containers)
        settings = AutoscalerSettings(
            platform_key=self._platform_key,
            region=self.settings.region,
            artifact_url=f"{self._folder.artifacts.resolve().as_uri()}/{{sha256}}",
            environment=self._environment,
            credentials=credentials_of,
            gateway_url=lambda: self.endpoint,
            all_roles="sts" in self.settings.aws_endpoint_urls,
            python=self.languages.pythons.own.path,
            environments_per_pod=ENVIRONMENTS_PER_AGENT,
        )
        return Autoscaler(
            settings,
            compute=self._compute,
            cache=self._cache,
            artifacts=self._artifacts,
            accounts=self._accounts,
            pool_spec=_pool_spec,
            registry=self._registry,
        )

    def _make_reconciler(self) -> Reconciler:
        services = make_services(
            self._cache,
            self._artifacts,
            self._gateway.services.buckets,
            acknowledgements=self._autoscaler.acknowledgements,
            provisioning=self._autoscaler.provisioned,
            accounts=self._accounts,
            region=self.settings.region,
            images=self._images,
            runnable=RUN_HERE,
            waiting={OWN_PYTHON},  # others' agents run beside it, and fork nothing
            private_addresses=True,
            file_systems=MachineFolders(),
        )
        return Reconciler(self._cache, services)

    def _make_gateway(self) -> Gateway:
        return Gateway(
            Settings(
                region=self.settings.region,
                platform_key=self._platform_key,
                # More interpreters than cores starting at once only delay each other.
                most_claims=2 * (os.cpu_count() or 1),
                url_form=self.settings.function_url,
                unlabelled_secrets=True,
                accounts_are_keys=True,
                own_aws_credentials=not self.settings.aws_endpoint_url,
                one_port=True,
                private_addresses=True,
                aws_endpoint_url=self.settings.aws_endpoint_url or "",
                longest_poll=2.0,  # Ctrl-C waits for it
                aws_endpoint_urls=self.settings.aws_endpoint_urls,
                otlp_endpoint=self.settings.otlp_endpoint,
            ),
            cache=self._cache,
            artifacts=self._artifacts,
            logs=EchoingLogs(self._logs, self.settings.echo),
            accounts=self._accounts,
            claims=self._autoscaler.claims(),
            events=self._events,
            authenticator=self._callers,
            guard=WebGuard(),
            find_service=find_service,
            registry=self._registry,
            measure=self._autoscaler.measure,
        )

    async def _clear(self) -> None:
        """Remove the containers that outlived a platform before this one."""
        for container in self._left_behind:
            await container.remove()

    async def _collect(self) -> None:
        """Delete packages that nobody refers to any more, now and then."""
        service = ArtifactService(self._cache, self._artifacts)
        await asyncio.sleep(FIRST_COLLECT_SECONDS)
        while True:
            await service.collect()
            await asyncio.sleep(COLLECT_SECONDS)


async def _pool_spec(runtime: str) -> PoolSpec | None:
    """Return a laptop's pools: a few of each runtime that gains by it wait."""
    return PoolSpec(minimum=2, maximum=8) if family_of(runtime).pooled else None
