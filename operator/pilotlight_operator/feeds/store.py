"""Drives the services by the store's watch, as kopf does on Kubernetes.

Each resource that is not settled has one worker: a change while it works makes it work once more,
a failure makes it come back later. What is decided, `pilotlight_operator.services` decides.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog

from pilotlight.resources import Function, Key, Resource, Secret

if TYPE_CHECKING:
    from pilotlight.storage import ResourceStore

__all__ = ["Reconciler"]

BACK_OFF_SECONDS = (0.1, 30.0)
"""After the first failure in a row, doubling; and at most."""

log = structlog.get_logger()


class Service(Protocol):
    """What brings one resource up to date."""

    async def reconcile(self, key: Key) -> float | None:
        """Give the seconds after which to call again, or None where it is settled."""
        ...


class Reconciler:
    """Calls the service for every resource of a kind that something changed about."""

    def __init__(
        self, resources: ResourceStore, service: Service, kind: type[Resource] = Function
    ) -> None:
        self._resources = resources
        self._service = service
        self._kind = kind
        self._changed: dict[Key, asyncio.Event] = {}

    async def run(self) -> None:
        """Follow the resources, and functions' Secrets, for ever."""
        async with asyncio.TaskGroup() as workers:
            if self._kind is Function:
                workers.create_task(self._follow_secrets(workers))
            async for change in self._resources.watch(self._kind):
                if change.resource is not None:
                    self._wake(change.resource.key, workers)

    async def _follow_secrets(self, workers: asyncio.TaskGroup) -> None:
        async for change in self._resources.watch(Secret):
            if change.resource is not None:
                for key in await self._users_of(change.resource):
                    self._wake(key, workers)

    async def _users_of(self, secret: Secret) -> list[Key]:
        functions = await self._resources.list(Function, secret.metadata.namespace)
        return [one.key for one in functions if _refers_to(one, secret)]

    def _wake(self, key: Key, workers: asyncio.TaskGroup) -> None:
        if key not in self._changed:
            self._changed[key] = asyncio.Event()
            workers.create_task(self._work(key))
        self._changed[key].set()

    async def _work(self, key: Key) -> None:
        changed, failures = self._changed[key], 0
        while True:
            changed.clear()
            try:
                again, failures = await self._service.reconcile(key), 0
            except Exception as error:  # noqa: BLE001  whatever it is, the next try may work
                log.warning(
                    "reconcile failed", kind=self._kind.kind_name, key=str(key), error=repr(error)
                )
                again, failures = _back_off(failures), failures + 1
            if again is None and not changed.is_set():
                del self._changed[key]
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await changed.wait()


def _refers_to(function: Function, secret: Secret) -> bool:
    reference = function.spec.environment_from
    return reference is not None and reference.secret == secret.metadata.name


def _back_off(failures: int) -> float:
    first, longest = BACK_OFF_SECONDS
    return min(first * 2.0**failures, longest)
