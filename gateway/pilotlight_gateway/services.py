"""What operations work with: the gateway's parts, put together once (`gateway.Gateway`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.aws.buckets import Buckets
    from pilotlight.aws.client import AwsClients
    from pilotlight.aws.credentials import AwsCredentials
    from pilotlight.aws.roles import RoleSessions
    from pilotlight.budget import ByteBudget
    from pilotlight.cache import Cache
    from pilotlight.storage import ArtifactStore, LogStore, ResourceStore

    from .bodies import Bodies
    from .event_queue.interface import EventQueue
    from .invocation.catalogue import Catalogue
    from .invocation.dispatch.dispatcher import Dispatcher
    from .invocation.invoker import Invoker
    from .invocation.published import Published
    from .invocation.targets import Targets
    from .logs.groups import LogGroups
    from .metrics import Metrics
    from .settings import Settings

__all__ = ["Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """The gateway's parts."""

    settings: Settings
    bodies: Bodies
    cache: Cache
    """What is known of resources, without asking the store."""
    resources: ResourceStore
    """The store; what is written here the cache knows at once."""
    artifacts: ArtifactStore
    logs: LogStore
    catalogue: Catalogue
    published: Published
    targets: Targets
    dispatcher: Dispatcher
    invoker: Invoker
    log_groups: LogGroups
    events: EventQueue
    aws_credentials: AwsCredentials
    aws_clients: AwsClients
    buckets: Buckets
    roles: RoleSessions
    polled_bytes: ByteBudget
    """Of records that were polled and are not settled."""
    metrics: Metrics
    is_ready: Callable[[], bool]
    """Whether invocations are served."""
    measure: Callable[[], Awaitable[None]]
    """Brings gauges up to date, for who reads them now."""
