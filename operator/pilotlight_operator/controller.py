"""The controller: kopf, the reconciler and what runs on a clock, in a thread and a loop of its own.

The autoscaler in the other thread answers claims without ever waiting for a reconcile. Only two
things cross over: a question for the gateways' acknowledgements, and the end. The command line
(`pilotlight_operator.process`) starts it once the Lease is won.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import kopf
import structlog

from pilotlight.accounts import Accounts
from pilotlight.errors import PilotlightError
from pilotlight.resources import Function, FunctionAlias, FunctionVersion, Route
from pilotlight.storage.kubernetes.api import KubernetesApi
from pilotlight.storage.kubernetes.resources import KubernetesResources
from pilotlight.storage.postgres.artifacts import PostgresArtifacts
from pilotlight.storage.postgres.database import PostgresDatabase

from .dependents import Dependents
from .feeds import kopf as handlers
from .reconciler import Reconciler
from .resync import Resync
from .services.accounts import AccountService
from .services.aliases import AliasService
from .services.artifacts import ArtifactService
from .services.functions import Acknowledgements, FunctionService
from .services.routes import RouteService
from .services.runtimes import RuntimeService
from .services.versions import VersionService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from pilotlight.claims import RevisionKey
    from pilotlight.resources import Key, ProvisionedStatus, Resource, RuntimeSpec

    from .services.provisioning import Provisioning

    Reconcilers = dict[type[Resource], Reconciler]

__all__ = ["Controller", "ControllerSettings", "ForeignAutoscaler"]

RESYNC_SECONDS = 30.0
"""Between two looks for functions whose change nobody told us of."""
COLLECT_SECONDS = 3600.0
STUCK_SECONDS = 120.0
"""Without a resync, or within one reconcile, for that long: the controller is stuck."""

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """What the controller is told."""

    namespaces: tuple[str, ...]
    region: str
    postgresql_url: str = field(repr=False)
    runtimes: dict[str, RuntimeSpec]


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

    def __init__(self, settings: ControllerSettings, autoscaler: ForeignAutoscaler) -> None:
        self._settings = settings
        self._autoscaler = autoscaler
        self._stop = threading.Event()
        self._progressed = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)

    def start(self) -> None:
        """Start its thread."""
        self._progressed = time.monotonic()
        self._thread.start()

    async def stop(self) -> None:
        """Let it end; what it was about to write, the next leader writes."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def is_progressing(self) -> bool:
        """Say whether it lives and gets through its work."""
        if not self._thread.is_alive():
            return self._stop.is_set()
        return time.monotonic() - self._progressed < STUCK_SECONDS

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception:
            log.exception("controller_failed")

    async def _main(self) -> None:
        async with self._stores() as (resources, artifacts):
            accounts = Accounts(resources)
            reconcilers = self._reconcilers(resources, artifacts, accounts)
            resync = self._resync(resources, accounts, reconcilers)
            collection = ArtifactService(resources, artifacts)
            periodic = [
                _every(RESYNC_SECONDS, lambda: self._progress(resync, reconcilers.values())),
                _every(COLLECT_SECONDS, collection.collect),
            ]
            tasks = [asyncio.create_task(work) for work in periodic]
            try:
                await self._watch(reconcilers)
            finally:
                for task in tasks:
                    task.cancel()
                for reconciler in reconcilers.values():
                    await reconciler.close()

    def _reconcilers(
        self, resources: KubernetesResources, artifacts: PostgresArtifacts, accounts: Accounts
    ) -> Reconcilers:
        autoscaler = self._autoscaler
        functions = FunctionService(
            resources, artifacts, autoscaler, region=self._settings.region, accounts=accounts
        )
        return {
            Function: Reconciler(functions),
            FunctionVersion: Reconciler(VersionService(resources, artifacts, autoscaler)),
            FunctionAlias: Reconciler(AliasService(resources, autoscaler)),
            Route: Reconciler(RouteService(resources)),
        }

    @asynccontextmanager
    async def _stores(self) -> AsyncIterator[tuple[KubernetesResources, PostgresArtifacts]]:
        api = await KubernetesApi.connect()
        database = PostgresDatabase(self._settings.postgresql_url)
        try:
            yield KubernetesResources(api, self._settings.namespaces), PostgresArtifacts(database)
        finally:
            await database.close()
            await api.close()

    async def _watch(self, reconcilers: Reconcilers) -> None:
        registry = kopf.OperatorRegistry()
        touch = {kind.plural: one.touch for kind, one in reconcilers.items()}
        handlers.register(registry, touch, Dependents())
        await kopf.operator(
            registry=registry,
            settings=handlers.settings(),
            namespaces=self._settings.namespaces,
            standalone=True,
            stop_flag=self._stop,
        )

    def _resync(
        self, resources: KubernetesResources, accounts: Accounts, reconcilers: Reconcilers
    ) -> Resync:
        return Resync(
            resources,
            AccountService(accounts),
            RuntimeService(resources),
            self._settings.namespaces,
            self._settings.runtimes,
            {kind: one.touch for kind, one in reconcilers.items()},
        )

    async def _progress(self, resync: Resync, reconcilers: Iterable[Reconciler]) -> None:
        """Look at everything, and note that nothing here is stuck."""
        if all(one.longest_call() < STUCK_SECONDS for one in reconcilers):
            self._progressed = time.monotonic()
        await resync.run()


async def _awaited(question: Awaitable[T]) -> T:
    return await question


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except PilotlightError as error:
            log.warning("periodic_work_failed", error=str(error))
        except Exception:
            log.exception("periodic_work_failed")
        await asyncio.sleep(seconds)
