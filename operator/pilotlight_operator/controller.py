"""The controller: kopf, the reconciler and what runs on a clock, in a thread and a loop of its own.

The autoscaler in the other thread answers claims without ever waiting for a reconcile. Only two
things cross over: a question for the gateways' acknowledgements, and the end. The command line
(`pilotlight_operator.process`) starts it once the Lease is won.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import structlog

from pilotlight.accounts import Accounts
from pilotlight.aws.buckets import Buckets
from pilotlight.aws.client import AwsClients
from pilotlight.aws.credentials import AwsCredentials, AwsSettings
from pilotlight.cache import Cache
from pilotlight.errors import PilotlightError
from pilotlight.hosts import Hosts
from pilotlight.registries import Registries
from pilotlight.resources import (
    Function,
    FunctionAlias,
    FunctionVersion,
    LayerVersion,
    Namespace,
    NetworkPolicy,
    PersistentVolumeClaim,
    Route,
    Runtime,
    Secret,
)
from pilotlight.storage.replacements import replacements
from pilotlight.walls import Walls

from .events import ConditionEvents
from .feeds import kopf
from .reconciler import Reconciler
from .services import make_services
from .services.accounts import AccountService
from .services.artifacts import ArtifactService
from .services.image_registries import ImageRegistries
from .services.images import Images
from .services.runtimes import RuntimeService

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from pilotlight.claims import RevisionKey
    from pilotlight.resources import Key, ProvisionedStatus, Resource, RuntimeSpec
    from pilotlight.storage import ArtifactStore, ResourceStore

    from .events import KubernetesEvents
    from .services.functions import Acknowledgements
    from .services.images import NodePulls
    from .services.provisioning import Provisioning

    Stores = AbstractAsyncContextManager[
        tuple[ResourceStore, ArtifactStore, KubernetesEvents, NodePulls]
    ]

__all__ = ["WATCHED", "Controller", "ControllerSettings", "ForeignAutoscaler"]

WATCHED: tuple[type[Resource], ...] = (
    Runtime, Secret, PersistentVolumeClaim, NetworkPolicy, LayerVersion,
    Function, FunctionVersion, FunctionAlias, Route,
)  # fmt: skip
"""What kopf watches. It would watch all namespaces or none; those of accounts the store does."""
TOLD: tuple[type[Resource], ...] = (Function, FunctionVersion, FunctionAlias, Route)
"""What has a condition that people ask `kubectl describe` about."""
ENSURE_SECONDS = 30.0
"""Between two looks at what must be there whatever users do."""
REFRESH_SECONDS = 600.0
"""Between two lists of everything. Deletions that a watch has missed kopf does not tell."""
COLLECT_SECONDS = 3600.0
STUCK_SECONDS = 120.0
"""Without a look, or within one reconcile, for that long: the controller is stuck."""

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """What the controller is told."""

    namespaces: tuple[str, ...]
    region: str
    runtimes: dict[str, RuntimeSpec]
    hosts: Hosts = field(default_factory=Hosts)
    aws: AwsSettings = field(default_factory=AwsSettings)
    private_registries: tuple[str, ...] = ()
    pull_secret: str = ""
    walls: Walls = field(default_factory=Walls)


class ForeignAutoscaler:
    """Asks what the autoscaler knows, which lives in another thread's loop."""

    def __init__(
        self,
        acknowledgements: Acknowledgements,
        provisioning: Provisioning,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._acknowledgements = acknowledgements
        self._provisioning = provisioning
        self._loop = loop

    async def wait(self, function: Key, revision: str, *, seconds: float) -> bool:
        """Wait there until all connected gateways route to a revision."""
        return await self._ask(self._acknowledgements.wait(function, revision, seconds=seconds))

    async def state(self, revision: RevisionKey) -> ProvisionedStatus:
        """Say how far a revision's provisioning is."""
        return await self._ask(self._provisioning.state(revision))

    async def _ask(self, question: Awaitable[T]) -> T:
        asked = asyncio.run_coroutine_threadsafe(_awaited(question), self._loop)
        return await asyncio.wrap_future(asked)


class Controller:
    """Reconciles until it is stopped."""

    def __init__(
        self,
        settings: ControllerSettings,
        autoscaler: ForeignAutoscaler,
        open_stores: Callable[[], Stores],
    ) -> None:
        """`open_stores` is called in the controller's own loop, which connections belong to."""
        self._settings = settings
        self._autoscaler = autoscaler
        self._open_stores = open_stores
        self._stop: Future[None] = Future()
        self._progressed = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)

    def start(self) -> None:
        """Start its thread."""
        self._progressed = time.monotonic()
        self._thread.start()

    async def stop(self) -> None:
        """Let it end; what it was about to write, the next leader writes."""
        self._stop.set_result(None)
        await asyncio.to_thread(self._thread.join)

    def is_progressing(self) -> bool:
        """Say whether it lives and gets through its work."""
        if not self._thread.is_alive():
            return self._stop.done()
        return time.monotonic() - self._progressed < STUCK_SECONDS

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception:
            log.exception("controller failed")

    async def _main(self) -> None:
        async with self._open_stores() as (resources, artifacts, events, pulls):
            cache = Cache(resources, Namespace, *WATCHED)
            credentials = AwsCredentials(self._settings.aws, cache)
            clients = AwsClients(self._settings.aws, credentials)
            buckets = Buckets(self._settings.region, credentials, clients)
            registries = Registries(self._settings.private_registries)
            asked = ImageRegistries(cache, registries, self._settings.pull_secret)
            images = Images(asked, pulls)
            reconciler = self._reconciler(cache, artifacts, buckets, images)
            ConditionEvents(cache, events).follow(TOLD)
            work = [events.run(), *self._background(cache, artifacts, reconciler)]
            tasks = [asyncio.create_task(one) for one in work]
            ended = asyncio.Event()
            ending = asyncio.create_task(self._end(tasks, reconciler, ended))
            try:
                await kopf.feed(
                    cache, reconciler, WATCHED, namespaces=self._settings.namespaces, stop=ended
                )
            finally:
                ending.cancel()
                await _close(tasks, reconciler)
                await images.close()
                await clients.close()

    async def _end(
        self, tasks: Sequence[asyncio.Task[None]], reconciler: Reconciler, ended: asyncio.Event
    ) -> None:
        """End the work first when told to stop: kopf waits five seconds for tasks beside its own.

        The next leader waits for all this.
        """
        await asyncio.shield(asyncio.wrap_future(self._stop))
        await _close(tasks, reconciler)
        ended.set()

    def _reconciler(
        self, cache: Cache, artifacts: ArtifactStore, buckets: Buckets, images: Images
    ) -> Reconciler:
        services = make_services(
            cache,
            artifacts,
            buckets,
            acknowledgements=self._autoscaler,
            provisioning=self._autoscaler,
            accounts=Accounts(cache),
            region=self._settings.region,
            images=images,
            hosts=self._settings.hosts,
            walls=self._settings.walls,
        )
        return Reconciler(cache, services)

    def _background(
        self, cache: Cache, artifacts: ArtifactStore, reconciler: Reconciler
    ) -> list[Coroutine[Any, Any, None]]:
        accounts, runtimes = AccountService(Accounts(cache)), RuntimeService(cache)

        async def ensure() -> None:
            if reconciler.longest_call() < STUCK_SECONDS:
                self._progressed = time.monotonic()
            await accounts.ensure(self._settings.namespaces)
            await runtimes.ensure(self._settings.runtimes)

        async def collect() -> None:
            await asyncio.sleep(COLLECT_SECONDS)
            await ArtifactService(cache, artifacts).collect()

        async def refresh() -> None:
            await asyncio.sleep(REFRESH_SECONDS)
            await cache.refresh(*WATCHED)

        async def follow_store() -> None:
            async for _ in replacements(artifacts):
                log.warning("the artifact store is another one: everything is looked at again")
                reconciler.look_again()

        return [
            cache.run(Namespace),
            _repeat(follow_store),
            _repeat(ensure, ENSURE_SECONDS),
            _repeat(refresh),
            _repeat(collect),
        ]


async def _close(tasks: Sequence[asyncio.Task[None]], reconciler: Reconciler) -> None:
    for task in tasks:
        task.cancel()
    await reconciler.close()


async def _awaited(question: Awaitable[T]) -> T:
    return await question


async def _repeat(work: Callable[[], Awaitable[None]], rest: float = 1.0) -> None:
    """Do something again and again, for ever, resting so many seconds after each time."""
    while True:
        try:
            await work()
        except PilotlightError as error:
            log.warning("periodic work failed", error=str(error))
        except Exception:
            log.exception("periodic work failed")
        await asyncio.sleep(rest)
