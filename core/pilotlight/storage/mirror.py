"""The resources of a kind in memory, kept up by the store's watch.

For whoever must answer without asking a store: gateways' catalogues, the autoscaler's caps. What
went while a watch was broken is found when it is synced again.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

from ..resources import Key, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from .interfaces import ResourceStore

__all__ = ["Mirror"]

R = TypeVar("R", bound=Resource)


class Mirror(Generic[R]):
    """What is there, and word of every change."""

    def __init__(
        self,
        resources: ResourceStore,
        kind: type[R],
        changed: Callable[[R | None, R | None], None] = lambda _before, _after: None,
        *,
        namespace: str | None = None,
    ) -> None:
        """Call `changed` with a resource before and after each change; None where it is not.

        Of one namespace, or of all.
        """
        self.held: dict[Key, R] = {}
        self.synced = asyncio.Event()
        self._resources = resources
        self._kind = kind
        self._changed = changed
        self._namespace = namespace

    async def run(self) -> None:
        """Follow the store, for ever."""
        told: set[Key] = set()
        async with aclosing(self._resources.watch(self._kind, self._namespace)) as changes:
            async for change in changes:
                if change.resource is None:
                    for key in self.held.keys() - told:
                        self.note(key, None)
                    self.synced.set()
                elif change.kind == "present":
                    told.add(change.resource.key)
                    self.note(change.resource.key, change.resource)
                else:
                    told.discard(change.resource.key)
                    self.note(change.resource.key, None)

    def note(self, key: Key, resource: R | None) -> None:
        """Take in what a resource is now; also for who read it before the watch told of it."""
        before = self.held.pop(key, None)
        if resource is not None:
            self.held[key] = resource
        if before is not None or resource is not None:
            self._changed(before, resource)
