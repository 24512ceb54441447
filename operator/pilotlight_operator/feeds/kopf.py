"""The feed of a cluster: kopf watches and tells the cache, the reconciler follows the cache.

Two of kopf's handlers are used for each kind. An index handler sees every object that there is,
and kopf calls no other handler until all lists have been seen: so the cache is complete before
anything is decided. An event handler sees what goes. Neither has kopf write anything into an
object. docs/decisions (0012) tells what of kopf is left aside, and why.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import kopf
import structlog

from pilotlight.errors import InvalidResourceError
from pilotlight.resources import Key
from pilotlight.storage.kubernetes.wire import from_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from pilotlight.cache import Cache
    from pilotlight.resources import Resource
    from pilotlight_operator.reconciler import Reconciler

__all__ = ["feed", "register", "settings"]

SERVER_SECONDS = 50
"""After which the API server ends a watch, which goes on from where it was."""
CLIENT_SECONDS = 60
"""Within which a connection that fell silent is noticed."""
CONNECT_SECONDS = 10

log = structlog.get_logger()
# Kopf warns that it hears no signals in a thread; the process hears them, and tells it.
logging.getLogger("kopf._core.reactor.running").addFilter(
    lambda record: not record.getMessage().startswith("OS signals are ignored")
)


async def feed(
    cache: Cache,
    reconciler: Reconciler,
    kinds: Sequence[type[Resource]],
    *,
    namespaces: Collection[str],
    stop: asyncio.Event,
) -> None:
    """Keep these kinds of the cache, and have everything reconciled; until told to stop."""
    registry = kopf.OperatorRegistry()
    register(registry, cache, kinds, listed=lambda: cache.mark_synced(*kinds))
    starting = asyncio.create_task(_start(reconciler, cache.synced))
    try:
        await kopf.operator(
            registry=registry,
            settings=settings(),
            namespaces=namespaces,
            standalone=True,
            stop_flag=stop,
        )
    finally:
        starting.cancel()


async def _start(reconciler: Reconciler, synced: asyncio.Event) -> None:
    """Begin once all is known, of the kinds too that kopf does not watch."""
    await synced.wait()
    reconciler.start()


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings."""
    chosen = kopf.OperatorSettings()
    chosen.watching.server_timeout = SERVER_SECONDS
    chosen.watching.client_timeout = CLIENT_SECONDS
    chosen.watching.connect_timeout = CONNECT_SECONDS
    chosen.posting.enabled = False  # a log line is not an event of the object
    chosen.scanning.disabled = True  # the namespaces are given; watching for others needs rights
    chosen.peering.standalone = True  # the Lease elects, kopf's peering only freezes
    return chosen


def register(
    registry: kopf.OperatorRegistry,
    cache: Cache,
    kinds: Iterable[type[Resource]],
    *,
    listed: Callable[[], None],
) -> None:
    """Register all handlers; `listed` is called at every event once all objects are known."""
    for kind in kinds:
        _register_kind(registry, cache, kind, listed)

    @kopf.on.login(registry=registry)
    def log_in(**arguments: Any) -> kopf.ConnectionInfo | None:
        inside = kopf.login_with_service_account(**arguments)
        return inside or kopf.login_with_kubeconfig(**arguments)


def _register_kind(
    registry: kopf.OperatorRegistry,
    cache: Cache,
    kind: type[Resource],
    listed: Callable[[], None],
) -> None:
    @kopf.index(kind.group(), kind.version(), kind.plural, id=kind.plural, registry=registry)
    async def known(body: kopf.Body, **_: Any) -> None:
        try:
            cache.note(from_wire(kind, dict(body)))
        except InvalidResourceError as error:
            log.warning("resource unreadable", kind=kind.kind_name, error=str(error))

    @kopf.on.event(kind.group(), kind.version(), kind.plural, registry=registry)
    async def told(
        event: kopf.RawEvent, namespace: str | None, name: str, uid: str | None, **_: Any
    ) -> None:
        if event["type"] == "DELETED":
            cache.forget(kind, Key(namespace or "", name), uid or "")
        listed()
