"""All functions, in memory: an invocation looks its function up here and nowhere else.

Fed by the store's watch. A name that is not here is read from the store once, and its absence kept
for a second: a function that was made a moment ago is found, a wrong name costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pilotlight.claims import RevisionKey
from pilotlight.names import object_name
from pilotlight.resources import Function, Key
from pilotlight.storage import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.storage import ResourceStore

__all__ = ["Catalogue"]

ABSENCE_SECONDS = 1.0


class Catalogue:
    """Functions by account and Lambda name."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources
        self._functions: dict[tuple[str, str], Function] = {}
        self._absent: dict[tuple[str, str], float] = {}
        self._listeners: list[Callable[[Function | None, Function | None], None]] = []
        self._changed = asyncio.Event()
        self._mirror = Mirror(resources, Function, self._function_changed)
        self.synced = self._mirror.synced
        self.run = self._mirror.run

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
            if function.function_name == name:
                self._mirror.note(function.key, function)
        found = self._functions.get((namespace, name))
        if found is None:
            self._absent[namespace, name] = time.monotonic()
        return found

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
            async with asyncio.timeout(seconds):
                while not holds(self._functions.get(where)):
                    await self._changed.wait()
        return self._functions.get(where)

    def _known_absent(self, namespace: str, name: str) -> bool:
        since = self._absent.get((namespace, name))
        if since is None:
            return False
        if time.monotonic() - since < ABSENCE_SECONDS:
            return True
        del self._absent[namespace, name]
        return False

    def _function_changed(self, before: Function | None, after: Function | None) -> None:
        """Follow an object; one whose name is another's is as if it were not there."""
        told = after or before
        if told is None:
            return
        where = (told.metadata.namespace, told.function_name)
        held = self._functions.pop(where, None)
        now = None if after is None or _name_taken(after) else after
        if held is not None and held.key != told.key and not (now and revision_key(now)):
            now = held  # until the operator has decided whose the name is, it is not the newcomer's
        if now is not None:
            self._functions[where] = now
            self._absent.pop(where, None)
        if now is not held:
            self._tell(held, now)

    def _tell(self, before: Function | None, after: Function | None) -> None:
        for listener in self._listeners:
            listener(before, after)
        self._changed.set()  # who waits now; who comes later waits for the next change
        self._changed = asyncio.Event()


def revision_key(function: Function) -> RevisionKey | None:
    """Give the revision that a function serves now; None where it serves none yet."""
    if function.status.revision is None:
        return None
    key = function.key
    return RevisionKey(key.namespace, key.name, function.status.revision)


def _name_taken(function: Function) -> bool:
    ready = function.status.condition("Ready")
    return ready is not None and ready.reason == "NameTaken"
