"""The autoscaler's one door: its parts put together once, for the cluster, one machine and tests.

Gateways' claims come in by `claims` (one process) or `listen` (a wire); `leases.capacity` answers
them. What it must know is in the cache, what it starts it starts by its `Compute`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight.agent.client import Agents
from pilotlight.function_credentials import issue

from .claims.acknowledgements import Acknowledgements
from .claims.local import LocalClaims
from .claims.server import ClaimsServer
from .creations import Creations
from .leases.capacity import Capacity
from .leases.caps import ACCOUNT_LIMIT, Caps
from .leases.stock import Stock
from .metrics import AutoscalerMetrics
from .packages.compiled_packages import CompiledPackages, runs_own_python
from .pods.granted_roles import GrantedRoles
from .pods.revisions import Revisions
from .pods.starts import Starts
from .pools.keeper import PoolKeeper
from .provisioned.keeper import ProvisionedKeeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from pathlib import Path
    from typing import Any

    from prometheus_client import CollectorRegistry

    from pilotlight.accounts import Accounts
    from pilotlight.cache import Cache
    from pilotlight.claims import RevisionKey
    from pilotlight.compute import Compute
    from pilotlight.errors import PilotlightError
    from pilotlight.storage import ArtifactStore

    from .pools.decide import PoolSpec

__all__ = ["Autoscaler", "AutoscalerSettings"]


@dataclass(frozen=True, slots=True)
class AutoscalerSettings:
    """What an autoscaler is told."""

    platform_key: bytes = field(repr=False)
    region: str
    artifact_url: str
    """Where agents fetch packages, `{sha256}` standing for the address."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables that every function gets, such as AWS_ENDPOINT_URL."""
    credentials: Callable[[str, str, str], dict[str, str]] | None = None
    """Variables of a function's own credentials, by namespace, account and name; None derives them
    from the platform key."""
    gateway_url: Callable[[], str] | None = None
    """Where pods reach a gateway; None has no role assumed."""
    all_roles: bool = False
    """Whether all accounts have their roles assumed, and not those alone that say so."""
    account_limit: int = ACCOUNT_LIMIT
    """Environments that an account may have."""
    environments_per_pod: int = 1
    """How many share a pod of a function that asks for fewer; where pods isolate nothing."""
    generation: int = 0
    """How many leaders there were before: its epochs are above all of theirs."""
    python: Path | None = None
    """The interpreter that compiles packages; None for the one that runs this."""
    compiles: Callable[[str], bool] = runs_own_python
    """Whether bytecode of that interpreter is of use to a runtime."""


class Autoscaler:
    """Warm pools, leases and limits of one platform."""

    def __init__(  # noqa: PLR0913  what differs from machine to cluster, each by name
        self,
        settings: AutoscalerSettings,
        *,
        compute: Compute,
        cache: Cache,
        artifacts: ArtifactStore,
        accounts: Accounts,
        pool_spec: Callable[[str], Awaitable[PoolSpec | None]],
        agents: Agents | None = None,
        registry: CollectorRegistry | None = None,
        tell: Callable[[RevisionKey, PilotlightError], None] = lambda *_: None,
    ) -> None:
        """Ask `pool_spec` for a runtime's bounds, None means that it has no pool.

        `tell` hears of each claim that is refused.
        """
        self.metrics = AutoscalerMetrics(registry)
        self.acknowledgements = Acknowledgements()
        self.caps = Caps(cache, account_limit=settings.account_limit)
        self.creations = Creations(self.metrics)
        self.pools = PoolKeeper(compute, pool_spec, self.metrics, self.creations)
        self.pools.follow(cache)
        self.stock = Stock()
        self._settings = settings
        self._compute = compute
        self._cache = cache
        self._agents = agents or Agents(settings.platform_key)
        self.revisions = self._make_revisions(accounts, artifacts)
        self.capacity = Capacity(
            compute=compute,
            starts=Starts(compute, self.revisions, self._agents, self.pools, self.creations),
            caps=self.caps,
            pools=self.pools,
            stock=self.stock,
            metrics=self.metrics,
            tell=tell,
            generation=settings.generation,
        )
        self.provisioned = ProvisionedKeeper(self.capacity, self.stock, cache)
        self._tasks: list[asyncio.Task[None]] = []
        self._server: ClaimsServer | None = None

    def claims(self) -> LocalClaims:
        """Return where the one gateway of this process claims."""
        return LocalClaims(self.capacity, self.acknowledgements)

    async def listen(self, host: str, port: int) -> int:
        """Take claims of gateways from now on; returns the port."""
        self._server = ClaimsServer(
            self.capacity, self.caps, self.acknowledgements, self._settings.platform_key
        )
        return await self._server.start(host, port)

    def start(self) -> None:
        """Keep pools and provisioned environments, until it is stopped."""
        self._tasks += [asyncio.create_task(work) for work in self._background()]

    def is_working(self) -> bool:
        """Say whether all that it does beside answering claims goes on."""
        return not any(task.done() for task in self._tasks)

    def measure(self) -> None:
        """Bring gauges up to date, for who reads them now."""
        self.capacity.measure()
        self.creations.measure()
        self.metrics.measure_starting(self._compute.starting())

    async def hand_over(self) -> None:
        """Stop, and leave every pod to the next leader, those too that are being made."""
        self._compute.leave()
        if self._server is not None:
            await self._server.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.provisioned.close()

    async def close(self) -> None:
        """Stop, and every pod with it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.provisioned.close()
        await self.capacity.close()
        await self.pools.close()

    def _background(self) -> Iterable[Coroutine[Any, Any, None]]:
        yield self._keep_pools()
        yield self.revisions.packages.run()
        yield self.revisions.packages.follow_store()
        yield self._keep_provisioned()

    async def _keep_pools(self) -> None:
        """Keep pools: a later leader once it knows which pods the one before has left or begun.

        Nobody misses any till then, since claims wait for the same.
        """
        if self._settings.generation:
            await self.capacity.succession.done.wait()
        await self.pools.run()

    async def _keep_provisioned(self) -> None:
        """Keep provisioned environments: those too that stood ready under an earlier leader."""
        if self._settings.generation:
            await self.provisioned.want()
            await self.capacity.succession.done.wait()
        await self.provisioned.run()

    def _make_revisions(self, accounts: Accounts, artifacts: ArtifactStore) -> Revisions:
        settings = self._settings
        packages = CompiledPackages(
            artifacts,
            quiet=self.pools.quiet.wait,
            python=settings.python,
            runs=settings.compiles,
        )
        return Revisions(
            cache=self._cache,
            accounts=accounts,
            platform_key=settings.platform_key,
            region=settings.region,
            artifact_url=settings.artifact_url,
            environment=settings.environment,
            packages=packages,
            credentials=settings.credentials or self._derive_credentials,
            environments_per_pod=settings.environments_per_pod,
            roles=self._make_roles(),
        )

    def _make_roles(self) -> GrantedRoles | None:
        settings = self._settings
        if settings.gateway_url is None:
            return None
        return GrantedRoles(
            settings.platform_key, self._cache, settings.gateway_url, everywhere=settings.all_roles
        )

    def _derive_credentials(self, namespace: str, account: str, function: str) -> dict[str, str]:
        key = self._settings.platform_key
        return issue(key, namespace=namespace, account=account, function=function).variables()
