"""kopf's handlers: they turn an event into a key, and leave everything else to services.

Only `on.event` is used: kopf then writes nothing into the objects, no progress, no copy of the
spec, no finalizer, and an object's deletion waits for nobody. What must be retried, `Reconciler`
retries. docs/decisions tells why this and not kopf's stateful handlers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kopf

from pilotlight.resources import GROUP, VERSION, Function, Key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pilotlight_operator.dependents import Dependents

__all__ = ["register", "settings"]

SERVER_SECONDS = 600
"""After which the API server ends a watch; kopf's default is never, and silence is not noticed."""
CLIENT_SECONDS = 660
CONNECT_SECONDS = 60
FUNCTIONS = Function.plural


def settings() -> kopf.OperatorSettings:
    """Give kopf's settings."""
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
    touch: Mapping[str, Callable[[Key], None]],
    dependents: Dependents,
) -> None:
    """Register all handlers; `touch` has a resource reconciled, by the plural of its kind."""
    for plural in touch.keys() - {FUNCTIONS}:
        _register_kind(registry, plural, touch[plural])
    _register_functions(registry, touch[FUNCTIONS], dependents)

    @kopf.on.login(registry=registry)
    def log_in(**arguments: Any) -> kopf.ConnectionInfo | None:
        inside = kopf.login_with_service_account(**arguments)
        return inside or kopf.login_with_kubeconfig(**arguments)


def _register_kind(
    registry: kopf.OperatorRegistry, plural: str, touch: Callable[[Key], None]
) -> None:
    @kopf.on.event(GROUP, VERSION, plural, registry=registry)
    async def changed(namespace: str | None, name: str, **_: Any) -> None:
        touch(Key(namespace or "", name))


def _register_functions(
    registry: kopf.OperatorRegistry, touch: Callable[[Key], None], dependents: Dependents
) -> None:

    @kopf.on.event(GROUP, VERSION, FUNCTIONS, registry=registry)
    async def function_changed(
        namespace: str | None, name: str, event: kopf.RawEvent, spec: kopf.Spec, **_: Any
    ) -> None:
        key = Key(namespace or "", name)
        if event["type"] == "DELETED":
            dependents.forget(key)
        else:
            dependents.note(key, spec)
        touch(key)

    @kopf.on.event("", "v1", "secrets", registry=registry)
    async def secret_changed(namespace: str | None, name: str, **_: Any) -> None:
        for key in dependents.of_secret(Key(namespace or "", name)):
            touch(key)

    @kopf.on.event(GROUP, VERSION, "runtimes", registry=registry)
    async def runtime_changed(name: str, **_: Any) -> None:
        for key in dependents.of_runtime(name):
            touch(key)
