"""A gateway process of the cluster: Kubernetes for resources, PostgreSQL for artifacts and logs.

Environments are claimed from the operator that holds the Lease. SIGTERM drains: first the
endpoint goes, then running requests end.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import uuid
from typing import TYPE_CHECKING

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.hosts import Hosts
from pilotlight.resources import (
    CodeSigningConfig,
    EventSourceMapping,
    Function,
    FunctionAlias,
    FunctionVersion,
    LayerVersion,
    LogGroup,
    Namespace,
    Route,
    Schedule,
    Secret,
)
from pilotlight.storage.kubernetes.api import KubernetesApi
from pilotlight.storage.kubernetes.lease import KubernetesLease
from pilotlight.storage.kubernetes.resources import KubernetesResources
from pilotlight.storage.kubernetes.role_tokens import RoleTokens
from pilotlight.storage.postgres.artifacts import PostgresArtifacts
from pilotlight.storage.postgres.database import PostgresDatabase
from pilotlight.storage.postgres.logs import PostgresLogs
from pilotlight_gateway.auth.access_keys import AccessKeys
from pilotlight_gateway.auth.function_keys import FunctionKeys
from pilotlight_gateway.auth.sigv4 import SigV4Authenticator
from pilotlight_gateway.event_queue.postgres import PostgresEventQueue
from pilotlight_gateway.gateway import Gateway
from pilotlight_gateway.settings import Settings

from .invocation.claims_client import ClaimsClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from typing import Any

    from pilotlight.role_grants import RoleGrant

    from .settings import GatewaySettings

__all__ = ["run"]

ENDPOINT_SECONDS = 3.0
"""How long a Service may go on sending requests to a pod that is being ended."""


async def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM, then drain."""
    api = await KubernetesApi.connect()
    database = PostgresDatabase(settings.postgresql_url)
    claims = ClaimsClient(
        find_leader=_leader_finder(api, settings),
        platform_key=settings.platform_key_file.read_bytes().strip(),
        gateway=f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}",
    )
    resources = KubernetesResources(
        api, settings.namespaces, release_namespace=settings.release_namespace
    )
    cache = Cache(
        resources,
        *(Namespace, Secret, Function, FunctionVersion, FunctionAlias, Route, Schedule),
        EventSourceMapping,
        LogGroup,
        CodeSigningConfig,
        LayerVersion,
        namespaces={Secret: settings.release_namespace},  # access keys alone
    )
    keys = AccessKeys(cache, Accounts(cache))
    audience = settings.role_token_audience
    tokens = RoleTokens(api, audience).of if audience else None
    gateway = _gateway(settings, cache, database, claims, keys, tokens)
    try:
        async with _running(claims.run(), cache.run()):
            await _serve(settings, gateway)
    finally:
        # It listens on a connection, which the database would wait for.
        await gateway.services.events.close()
        await database.close()
        await api.close()


@contextlib.asynccontextmanager
async def _running(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run what never ends beside the block."""
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _gateway(  # noqa: PLR0913, PLR0917  what a process has made for it
    settings: GatewaySettings,
    cache: Cache,
    database: PostgresDatabase,
    claims: ClaimsClient,
    keys: AccessKeys,
    tokens: Callable[[RoleGrant], Awaitable[str | None]] | None,
) -> Gateway:
    platform_key = claims.platform_key
    return Gateway(
        Settings(
            settings.region,
            platform_key,
            gateway=claims.gateway,
            concurrency_limit=settings.concurrency_limit,
            keep_alive=settings.keep_alive,
            url_domain=settings.domain,
            scheme=settings.scheme,
            otlp_endpoint=settings.otlp_endpoint,
            aws_endpoint_url=settings.aws_endpoint_url,
            private_sources=settings.private_sources,
            walls=settings.walls,
            hosts=Hosts(settings.reserved_hosts, settings.account_hosts),
        ),
        cache=cache,
        artifacts=PostgresArtifacts(database),
        logs=PostgresLogs(database),
        accounts=keys.accounts,
        claims=claims,
        events=PostgresEventQueue(database),
        authenticator=SigV4Authenticator(
            keys, settings.region, functions=FunctionKeys(cache, keys.accounts, platform_key)
        ),
        identify_role=tokens,
    )


async def _serve(settings: GatewaySettings, gateway: Gateway) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await gateway.listen_health("0.0.0.0", settings.health_port)  # noqa: S104  a pod's port
    starting = asyncio.create_task(gateway.start())
    await asyncio.wait(
        {starting, asyncio.ensure_future(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED
    )
    if not stopped.is_set():
        await starting
        await gateway.listen_internal("0.0.0.0", settings.internal_port)  # noqa: S104  the same
        await gateway.listen("0.0.0.0", settings.port)  # noqa: S104  the same
        await stopped.wait()
        gateway.drain()
        await asyncio.sleep(ENDPOINT_SECONDS)
    starting.cancel()
    await gateway.stop()


def _leader_finder(
    api: KubernetesApi, settings: GatewaySettings
) -> Callable[[], Awaitable[str | None]]:
    lease = KubernetesLease(api, settings.release_namespace, settings.lease_name)

    async def find_leader() -> str | None:
        return (await lease.read()).holder or None

    return find_leader
