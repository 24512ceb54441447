"""All functions, in memory: an invocation looks its function up here and nowhere else.

Fed by the store's watch. A name that is not here is read from the store once, and its absence kept
for a second: a function that was made a moment ago is found, a wrong name costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from pilotlight.claims import RevisionKey
from pilotlight.names import object_name
from pilotlight.resources import Function, Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.storage import ResourceStore

__all__ = ["Catalogue"]

ABSENCE_SECONDS = 1.0

log = structlog.get_logger()


class Catalogue:
    """Functions by account and Lambda name."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources
        self._functions: dict[tuple[str, str], Function] = {}
        self._names: dict[Key, str] = {}
        self._absent: dict[tuple[str, str], float] = {}
        self._listeners: list[Callable[[Function | None, Function | None], None]] = []
        self._changed = asyncio.Condition()
        self.synced = asyncio.Event()

    def on_change(self, listener: Callable[[Function | None, Function | None], None]) -> None:
        """Call a listener with a function before and after each change."""
        self._listeners.append(listener)

    def get(self, namespace: str, name: str) -> Function | None:
        """Give a function that is known."""
        return self._functions.get((namespace, name))

    async def find(self, namespace: str, name: str) -> Function | None:
        """Give a function, reading the store once where it is not known."""
        found = self._functions.get((namespace, name))
        if found is not None or self._known_absent(namespace, name):
            return found
        for function in await self._resources.list(Function, namespace):
            if function.function_name == name and not _name_taken(function):
                self._put(function)
                return function
        self._absent[namespace, name] = time.monotonic()
        return None

    async def key_of(self, namespace: str, name: str) -> Key:
        """Give where a function of that name is, or would be made."""
        found = await self.find(namespace, name)
        return found.key if found else Key(namespace, object_name(name))

    async def wait_for_change(self, function: Function, *, seconds: float) -> None:
        """Wait until a function is another than it was, or is gone; at most that long."""

        def changed(now: Function | None) -> bool:
            return now is None or now.status.revision != function.status.revision

        await self.wait_until(function, changed, seconds=seconds)

    async def wait_until(
        self, function: Function, holds: Callable[[Function | None], bool], *, seconds: float
    ) -> Function | None:
        """Wait until something holds of a function as it is by then; at most that long."""
        where = (function.metadata.namespace, function.function_name)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: holds(self._functions.get(where)))
        return self._functions.get(where)

    async def run(self) -> None:
        """Follow the store, for ever."""
        told: set[Key] = set()
        async for change in self._resources.watch(Function):
            if change.kind == "synced":
                self._forget_all_but(told)
                self.synced.set()
            elif change.resource is not None and change.kind == "present":
                told.add(change.resource.key)
                self._put(change.resource)
            elif change.resource is not None:
                told.discard(change.resource.key)
                self._remove(change.resource.key)
            async with self._changed:
                self._changed.notify_all()

    def _known_absent(self, namespace: str, name: str) -> bool:
        since = self._absent.get((namespace, name))
        if since is None:
            return False
        if time.monotonic() - since < ABSENCE_SECONDS:
            return True
        del self._absent[namespace, name]
        return False

    def _put(self, function: Function) -> None:
        if _name_taken(function):
            return
        where = (function.metadata.namespace, function.function_name)
        before = self._functions.get(where)
        self._functions[where] = function
        self._names[function.key] = function.function_name
        self._absent.pop(where, None)
        self._tell(before, function)

    def _remove(self, key: Key) -> None:
        name = self._names.pop(key, None)
        if name is not None:
            self._tell(self._functions.pop((key.namespace, name), None), None)

    def _forget_all_but(self, told: set[Key]) -> None:
        for key in self._names.keys() - told:
            self._remove(key)

    def _tell(self, before: Function | None, after: Function | None) -> None:
        for listener in self._listeners:
            listener(before, after)


def revision_key(function: Function) -> RevisionKey | None:
    """Give the revision that a function serves now; None where it serves none yet."""
    if function.status.revision is None:
        return None
    key = function.key
    return RevisionKey(key.namespace, key.name, function.status.revision)


def _name_taken(function: Function) -> bool:
    ready = function.status.condition("Ready")
    return ready is not None and ready.reason == "NameTaken"
