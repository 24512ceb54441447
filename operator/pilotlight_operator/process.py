"""An operator process of the cluster: the Lease, then the autoscaler and the controller.

Claims are answered in this loop, resources reconciled in the controller's thread. SIGTERM hands
the Lease over and exits 0; a lost Lease exits 1 at once, so that two never lead.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pilotlight.accounts import Accounts
from pilotlight.agent.client import Agents
from pilotlight.cache import Cache
from pilotlight.resources import Function, FunctionAlias, FunctionVersion, Namespace, Runtime
from pilotlight.storage.kubernetes.api import KubernetesApi
from pilotlight.storage.kubernetes.lease import KubernetesLease
from pilotlight.storage.kubernetes.resources import KubernetesResources
from pilotlight.storage.postgres.artifacts import PostgresArtifacts
from pilotlight.storage.postgres.database import PostgresDatabase
from pilotlight_autoscaler.claims.acknowledgements import Acknowledgements
from pilotlight_autoscaler.claims.server import ClaimsServer
from pilotlight_autoscaler.leases.capacity import Capacity
from pilotlight_autoscaler.leases.caps import Caps
from pilotlight_autoscaler.packages.compiled_packages import CompiledPackages
from pilotlight_autoscaler.pods.revisions import Revisions
from pilotlight_autoscaler.pools.keeper import PoolKeeper
from pilotlight_autoscaler.pools.runtime_pools import RuntimePools
from pilotlight_autoscaler.provisioned.keeper import ProvisionedKeeper
from pilotlight_operator.controller import (
    Controller,
    ControllerSettings,
    ForeignAutoscaler,
)
from pilotlight_operator.leadership import Leadership
from pilotlight_operator.storage.pods import KubernetesCompute

from .health import OperationsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from pilotlight_operator.manifests.pod import PodSettings

__all__ = ["ClusterOperator", "run"]

T = TypeVar("T")

ANYWHERE = "0.0.0.0"  # noqa: S104  a pod's ports; NetworkPolicies say who may come
LOST = 1
"""Exit status of a process that lost the Lease."""


@dataclass(frozen=True, slots=True)
class ClusterOperator:
    """Settings of an operator process."""

    controller: ControllerSettings
    pods: PodSettings
    release_namespace: str
    lease: str
    platform_key: bytes = field(repr=False)
    address: str
    """This pod's own, at which gateways find the leader."""
    claims_port: int
    operations_port: int
    artifact_url: str
    """Where pods fetch packages, `{sha256}` standing for the address."""
    environment: dict[str, str]
    """Variables that every function gets."""


async def run(settings: ClusterOperator) -> None:
    """Stand by, lead, and return when told to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        operations = await stack.enter_async_context(
            OperationsServer(ANYWHERE, settings.operations_port)
        )
        api = await KubernetesApi.connect()
        stack.push_async_callback(api.close)
        lease = KubernetesLease(api, settings.release_namespace, settings.lease)
        leadership = Leadership(lease, f"{settings.address}:{settings.claims_port}")
        generation = await _unless(stopped, leadership.acquire())
        if generation is None:
            return
        stack.push_async_callback(leadership.release)
        await _lead(settings, api, generation, operations, stack)
        await _unless(stopped, leadership.hold())
        if not stopped.is_set():
            _exit_at_once()


async def _lead(
    settings: ClusterOperator,
    api: KubernetesApi,
    generation: int,
    operations: OperationsServer,
    stack: AsyncExitStack,
) -> None:
    """Start what only the leader runs; the stack stops it in the opposite order."""
    resources = KubernetesResources(api, settings.controller.namespaces)
    compute = KubernetesCompute(
        api, resources, settings.controller.namespaces, settings.platform_key, settings.pods
    )
    agents = Agents(settings.platform_key)
    stack.push_async_callback(agents.close)
    cache = Cache(resources, Namespace, Runtime, Function, FunctionVersion, FunctionAlias)
    caps, pools = Caps(cache), PoolKeeper(compute, RuntimePools(cache).spec_of)
    pools.follow(cache)
    database = PostgresDatabase(settings.controller.postgresql_url)
    stack.push_async_callback(database.close)
    packages = CompiledPackages(PostgresArtifacts(database), calm=pools.calm.wait)
    revisions = _revisions(settings, cache, packages)
    capacity = Capacity(compute, revisions, agents, caps, pools, generation=generation)
    acknowledgements = Acknowledgements()
    claims = ClaimsServer(capacity, caps, acknowledgements, settings.platform_key)
    provisioned = ProvisionedKeeper(capacity, cache)
    for work in (cache.run(), pools.run(), packages.run(), provisioned.run()):
        task = asyncio.create_task(work)
        stack.callback(task.cancel)
    pods = asyncio.create_task(compute.run())
    stack.callback(pods.cancel)
    foreign = ForeignAutoscaler(acknowledgements, provisioned, asyncio.get_running_loop())
    controller = Controller(settings.controller, foreign, lambda: _controller_stores(settings))
    controller.start()
    stack.push_async_callback(controller.stop)
    # Last to start is first to stop: gateways keep their claims for the next leader from then on.
    await claims.start(ANYWHERE, settings.claims_port)
    stack.push_async_callback(claims.stop)
    operations.lead(
        lambda: controller.is_progressing() and not pods.done(), measure=capacity.measure
    )


@asynccontextmanager
async def _controller_stores(
    settings: ClusterOperator,
) -> AsyncIterator[tuple[KubernetesResources, PostgresArtifacts]]:
    api = await KubernetesApi.connect()
    database = PostgresDatabase(settings.controller.postgresql_url)
    try:
        resources = KubernetesResources(api, settings.controller.namespaces)
        yield resources, PostgresArtifacts(database)
    finally:
        await database.close()
        await api.close()


def _revisions(settings: ClusterOperator, cache: Cache, packages: CompiledPackages) -> Revisions:
    return Revisions(
        cache=cache,
        accounts=Accounts(cache),
        platform_key=settings.platform_key,
        region=settings.controller.region,
        artifact_url=settings.artifact_url,
        environment=settings.environment,
        packages=packages,
    )


def _exit_at_once() -> None:
    """End without unwinding: another one leads in seconds, and nothing may write till then."""
    sys.stdout.flush()
    os._exit(LOST)


async def _unless(stopped: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work until it ends or the process is to stop; None where it did not end."""
    task = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if task.done():
        return task.result()
    task.cancel()
    return None
