"""An operator process of the cluster: the Lease, then the autoscaler and the controller.

Claims are answered in this loop, resources reconciled in the controller's thread. SIGTERM hands
the Lease over and exits 0; who lost the Lease becomes a standby at once, so that two never lead.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from pilotlight.accounts import Accounts
from pilotlight.aws.credentials import AwsSettings
from pilotlight.cache import Cache
from pilotlight.hosts import Hosts
from pilotlight.resources import (
    Function,
    FunctionAlias,
    FunctionVersion,
    Namespace,
    Runtime,
    RuntimeSpec,
)
from pilotlight.storage.kubernetes.api import KubernetesApi
from pilotlight.storage.kubernetes.lease import KubernetesLease
from pilotlight.storage.kubernetes.resources import KubernetesResources
from pilotlight.storage.postgres.artifacts import PostgresArtifacts
from pilotlight.storage.postgres.database import PostgresDatabase
from pilotlight_autoscaler.autoscaler import Autoscaler, AutoscalerSettings
from pilotlight_autoscaler.pools.runtime_pools import RuntimePools
from pilotlight_operator.controller import (
    Controller,
    ControllerSettings,
    ForeignAutoscaler,
)
from pilotlight_operator.events import ClaimEvents, KubernetesEvents
from pilotlight_operator.leadership import Leadership
from pilotlight_operator.manifests.pod import PodSettings
from pilotlight_operator.storage.image_pulls import ImagePulls
from pilotlight_operator.storage.pods import KubernetesCompute

from .health import HealthServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from .settings import OperatorSettings

__all__ = ["run", "start_anew"]

T = TypeVar("T")

ANYWHERE = "0.0.0.0"  # noqa: S104  a pod's ports; NetworkPolicies say who may come
LOST = 1
"""Exit status of a process that lost the Lease and cannot start anew."""
_ENDING = (signal.SIGTERM, signal.SIGINT)


async def run(settings: OperatorSettings) -> None:
    """Stand by, lead, and return when told to stop."""
    stopped = asyncio.Event()
    for number in _ENDING:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    async with AsyncExitStack() as stack:
        health = await stack.enter_async_context(HealthServer(ANYWHERE, settings.health_port))
        api = await KubernetesApi.connect()
        stack.push_async_callback(api.close)
        lease = KubernetesLease(api, settings.release_namespace, settings.lease_name)
        leadership = Leadership(lease, f"{settings.address}:{settings.claims_port}")
        health.follow(leadership.age)
        generation = await _unless(stopped, leadership.acquire())
        if generation is None:
            return
        stack.push_async_callback(leadership.release)
        await _lead(settings, api, generation, health, stack)
        await _unless(stopped, leadership.hold())
        if not stopped.is_set():
            start_anew()


async def _lead(
    settings: OperatorSettings,
    api: KubernetesApi,
    generation: int,
    health: HealthServer,
    stack: AsyncExitStack,
) -> None:
    """Start what only the leader runs; the stack stops it in the opposite order."""
    platform_key = settings.platform_key_file.read_bytes().strip()
    resources = KubernetesResources(api, settings.namespaces)
    compute = KubernetesCompute(
        api,
        resources,
        settings.namespaces,
        platform_key,
        PodSettings(
            settings.least_cpu,
            settings.cpu_request,
            settings.pull_secret or None,
            settings.walls,
        ),
    )
    database = PostgresDatabase(settings.postgresql_url)
    stack.push_async_callback(database.close)
    cache = Cache(resources, Namespace, Runtime, Function, FunctionVersion, FunctionAlias)
    events = KubernetesEvents(api)
    autoscaler = Autoscaler(
        AutoscalerSettings(
            platform_key=platform_key,
            region=settings.region,
            artifact_url=settings.artifact_url,
            gateway_url=partial(_origin, settings.artifact_url),
            environment=_environment(settings),
            account_limit=settings.concurrency_limit,
            generation=generation,
        ),
        compute=compute,
        cache=cache,
        artifacts=PostgresArtifacts(database),
        accounts=Accounts(cache),
        pool_spec=RuntimePools(cache).spec_of,
        registry=health.registry,
        tell=ClaimEvents(cache, events).refused,
    )
    telling = asyncio.create_task(events.run())
    stack.callback(telling.cancel)
    pods = asyncio.create_task(compute.run())
    stack.callback(pods.cancel)
    following = asyncio.create_task(cache.run())
    stack.callback(following.cancel)
    autoscaler.start()
    foreign = ForeignAutoscaler(
        autoscaler.acknowledgements, autoscaler.provisioned, asyncio.get_running_loop()
    )
    controller = Controller(
        _controller_settings(settings), foreign, lambda: _controller_stores(settings)
    )
    controller.start()
    stack.push_async_callback(controller.stop)
    # Last to start is first to stop: gateways keep their claims for the next leader from then on.
    await autoscaler.listen(ANYWHERE, settings.claims_port)
    stack.push_async_callback(autoscaler.hand_over)

    def is_working() -> bool:
        followed = not pods.done() and not following.done()
        return followed and autoscaler.is_working() and controller.is_progressing()

    health.lead(is_working, measure=autoscaler.measure)


@asynccontextmanager
async def _controller_stores(
    settings: OperatorSettings,
) -> AsyncIterator[tuple[KubernetesResources, PostgresArtifacts, KubernetesEvents, ImagePulls]]:
    api = await KubernetesApi.connect()
    database = PostgresDatabase(settings.postgresql_url)
    try:
        resources = KubernetesResources(api, settings.namespaces)
        pulls = ImagePulls(api, resources, settings.pull_secret)
        yield resources, PostgresArtifacts(database), KubernetesEvents(api), pulls
    finally:
        await database.close()
        await api.close()


def _origin(url: str) -> str:
    """Return scheme and host of an address: packages and credentials are behind one port."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


def _environment(settings: OperatorSettings) -> dict[str, str]:
    """Return the variables that every function gets."""
    url = settings.aws_endpoint_url
    return {"AWS_ENDPOINT_URL": url} if url else {}


def _controller_settings(settings: OperatorSettings) -> ControllerSettings:
    file = settings.runtimes_file
    runtimes = json.loads(file.read_text()) if file else {}
    return ControllerSettings(
        namespaces=settings.namespaces,
        region=settings.region,
        runtimes={name: RuntimeSpec.model_validate(spec) for name, spec in runtimes.items()},
        hosts=Hosts(settings.reserved_hosts, settings.account_hosts),
        aws=AwsSettings(
            aws_endpoint_url=settings.aws_endpoint_url, private_sources=settings.private_sources
        ),
        private_registries=settings.private_registries,
        pull_secret=settings.pull_secret,
        walls=settings.walls,
    )


def start_anew() -> NoReturn:
    """Become a standby: this process begins anew, and nothing of what led is left.

    Another one leads in seconds, and nothing may write till then. Kopf and the reconciler write in
    a thread that cannot be stopped at once, and unwinding writes too; a new program image ends all
    threads and connections in one step. The container goes on, so no back-off keeps the standby
    away. A signal to end that comes meanwhile waits until `run` listens.
    """
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  as we were
    except OSError:
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
