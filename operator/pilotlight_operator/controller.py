"""The controller: kopf, the reconciler and what runs on a clock, in a thread and a loop of its own.

The autoscaler in the other thread answers claims without ever waiting for a reconcile. Only two
things cross over: a question for the gateways' acknowledgements, and the end. The command line
(`pilotlight_cli.cluster.operator`) starts it once the Lease is won.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import kopf
import structlog

from pilotlight.accounts import Accounts
from pilotlight.errors import PilotlightError
from pilotlight.storage.kubernetes_api import KubernetesApi
from pilotlight.storage.kubernetes_resources import KubernetesResources
from pilotlight.storage.postgres_artifacts import PostgresArtifacts
from pilotlight.storage.postgres_database import PostgresDatabase

from . import handlers
from .dependents import Dependents
from .reconciler import Reconciler
from .resync import Resync
from .services.accounts import AccountService
from .services.artifacts import ArtifactService
from .services.functions import Acknowledgements, FunctionService
from .services.runtimes import RuntimeService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pilotlight.resources import Key, RuntimeSpec

__all__ = ["Controller", "ControllerSettings", "ForeignAcknowledgements"]

RESYNC_SECONDS = 30.0
"""Between two looks for functions whose change nobody told us of."""
COLLECT_SECONDS = 3600.0
STUCK_SECONDS = 120.0
"""Without a resync, or within one reconcile, for that long: the controller is stuck."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """What the controller is told."""

    namespaces: tuple[str, ...]
    region: str
    postgresql_url: str = field(repr=False)
    runtimes: dict[str, RuntimeSpec]


class ForeignAcknowledgements:
    """Asks acknowledgements that live in another thread's loop."""

    def __init__(self, inner: Acknowledgements, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    async def wait(self, function: Key, revision: str, *, seconds: float) -> bool:
        """Wait there until all connected gateways route to a revision."""
        question = self._inner.wait(function, revision, seconds=seconds)
        asked = asyncio.run_coroutine_threadsafe(_awaited(question), self._loop)
        return await asyncio.wrap_future(asked)


class Controller:
    """Reconciles until it is stopped."""

    def __init__(self, settings: ControllerSettings, acknowledgements: Acknowledgements) -> None:
        self._settings = settings
        self._acknowledgements = acknowledgements
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
            service = FunctionService(
                resources,
                artifacts,
                self._acknowledgements,
                region=self._settings.region,
                accounts=accounts,
            )
            reconciler = Reconciler(service)
            resync = self._resync(resources, accounts, reconciler)
            collection = ArtifactService(resources, artifacts)
            periodic = [
                _every(RESYNC_SECONDS, lambda: self._progress(resync, reconciler)),
                _every(COLLECT_SECONDS, collection.collect),
            ]
            tasks = [asyncio.create_task(work) for work in periodic]
            try:
                await self._watch(reconciler)
            finally:
                for task in tasks:
                    task.cancel()
                await reconciler.close()

    @asynccontextmanager
    async def _stores(self) -> AsyncIterator[tuple[KubernetesResources, PostgresArtifacts]]:
        api = await KubernetesApi.connect()
        database = PostgresDatabase(self._settings.postgresql_url)
        try:
            yield KubernetesResources(api, self._settings.namespaces), PostgresArtifacts(database)
        finally:
            await database.close()
            await api.close()

    async def _watch(self, reconciler: Reconciler) -> None:
        registry = kopf.OperatorRegistry()
        handlers.register(registry, reconciler.touch, Dependents())
        await kopf.operator(
            registry=registry,
            settings=handlers.settings(),
            namespaces=self._settings.namespaces,
            standalone=True,
            stop_flag=self._stop,
        )

    def _resync(
        self, resources: KubernetesResources, accounts: Accounts, reconciler: Reconciler
    ) -> Resync:
        return Resync(
            resources,
            AccountService(accounts),
            RuntimeService(resources),
            self._settings.namespaces,
            self._settings.runtimes,
            reconciler.touch,
        )

    async def _progress(self, resync: Resync, reconciler: Reconciler) -> None:
        """Look at everything, and note that nothing here is stuck."""
        if reconciler.longest_call() < STUCK_SECONDS:
            self._progressed = time.monotonic()
        await resync.run()


async def _awaited(question: Awaitable[bool]) -> bool:
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
