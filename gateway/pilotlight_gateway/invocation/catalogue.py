"""All functions, in memory: an invocation looks its function up here and nowhere else.

A view of the cache by Lambda's names. Of several objects that want one name it has the one that
serves. A name that is not here is read from the store once, and its absence believed for a second.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from pilotlight.claims import RevisionKey
from pilotlight.errors import NotFoundError
from pilotlight.names import object_name
from pilotlight.resources import FUNCTIONS_BY_NAME, Function, Key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pilotlight.cache import Cache

    Listener = Callable[[Function | None, Function | None], None]

__all__ = ["Catalogue", "revision_key"]


class Catalogue:
    """Functions by account and Lambda name."""

    def __init__(self, cache: Cache) -> None:
        self.synced = cache.synced
        self._cache = cache
        self._functions: dict[str, dict[str, Function]] = {}
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        cache.on_change(Function, self._object_changed)

    def on_change(self, listener: Listener) -> None:
        """Call a listener with the function of a name before and after each change."""
        self._listeners.append(listener)

    def get(self, namespace: str, name: str) -> Function | None:
        """Return a function that is known."""
        known = self._functions.get(namespace)
        return None if known is None else known.get(name)

    def of(self, namespace: str) -> Mapping[str, Function]:
        """Return an account's functions by name."""
        return self._functions.get(namespace, {})

    async def find(self, namespace: str, name: str) -> Function | None:
        """Return a function, reading the store once where it is not known."""
        found = self.get(namespace, name)
        if found is not None:
            return found
        await self._cache.find(Function, Key(namespace, object_name(name)))
        if self.get(namespace, name) is None and not self.synced.is_set():
            await self.synced.wait()  # its object may have any name
        return self.get(namespace, name)

    async def key_of(self, namespace: str, name: str) -> Key:
        """Return where a function of that name is, or would be made.

        Raises NotFoundError where that is another function's place: a name stands for no object.
        """
        found = await self.find(namespace, name)
        key = found.key if found else Key(namespace, object_name(name))
        other = self._cache.get(Function, key)
        if other is not None and other.function_name != name:
            raise NotFoundError(f"Function not found: {name}")
        return key

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
                while not holds(self.get(*where)):
                    await self._changed.wait()
        return self.get(*where)

    def _object_changed(self, before: Function | None, after: Function | None) -> None:
        for changed in (before, after):
            if changed is not None:
                self._look_up(changed.metadata.namespace, changed.function_name)

    def _look_up(self, namespace: str, name: str) -> None:
        """See anew who has a name."""
        functions = self._functions.setdefault(namespace, {})
        old = functions.pop(name, None)
        new = _choose(self._cache.by(FUNCTIONS_BY_NAME, (namespace, name)))
        if new is not None:
            functions[name] = new
        if new is not old:
            self._tell(old, new)

    def _tell(self, before: Function | None, after: Function | None) -> None:
        for listener in self._listeners:
            listener(before, after)
        self._changed.set()  # who waits now; who comes later waits for the next change
        self._changed = asyncio.Event()


def revision_key(function: Function) -> RevisionKey | None:
    """Return the revision that a function serves now; None where it serves none yet."""
    if function.status.revision is None:
        return None
    return RevisionKey(*function.key, function.status.revision)


def _choose(functions: list[Function]) -> Function | None:
    """Return who has the name: until the operator has decided, not one that serves nothing yet."""
    candidates = [one for one in functions if not _name_taken(one)]
    return min(candidates, key=_precedence, default=None)


def _precedence(function: Function) -> tuple[bool, str, str]:
    metadata = function.metadata
    return function.status.revision is None, metadata.creation_timestamp or "", metadata.name


def _name_taken(function: Function) -> bool:
    ready = function.status.condition("Ready")
    return ready is not None and ready.reason == "NameTaken"
