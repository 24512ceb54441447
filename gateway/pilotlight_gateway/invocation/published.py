"""All versions and aliases, in memory, as `catalogue` has the functions.

Fed by the store's watches. What is not known is read once, and its absence kept for a second.
`targets` turns a reference into what it means by both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

from pilotlight.resources import FunctionAlias, FunctionVersion, Key, Resource
from pilotlight.storage import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.storage import ResourceStore

__all__ = ["Followed", "Published"]

ABSENCE_SECONDS = 1.0

R = TypeVar("R", bound=Resource)


class Published:
    """Versions and aliases by function."""

    def __init__(self, resources: ResourceStore) -> None:
        self.versions = Followed(resources, FunctionVersion, _version_name)
        self.aliases = Followed(resources, FunctionAlias, _alias_name)

    async def version(self, function: Key, number: str) -> FunctionVersion | None:
        """Give a version of a function's object."""
        return await self.versions.find(function, number)

    async def alias(self, function: Key, name: str) -> FunctionAlias | None:
        """Give an alias of a function's object."""
        return await self.aliases.find(function, name)

    def newest(self, function: Key) -> FunctionVersion | None:
        """Give the version with the highest number."""
        known = self.versions.of(function).values()
        return max(known, key=lambda one: one.spec.version, default=None)


class Followed(Generic[R]):
    """Resources of one kind by function and by a name of their own."""

    def __init__(
        self, resources: ResourceStore, kind: type[R], name_of: Callable[[R], tuple[str, str]]
    ) -> None:
        """`name_of` gives the function's object name and the resource's own name."""
        self._resources = resources
        self._kind = kind
        self._name_of = name_of
        self._mirror = Mirror(resources, kind, self._changed)
        self.synced = self._mirror.synced
        self.run = self._mirror.run
        self._listeners: list[Callable[[R | None, R | None], None]] = []
        self._by_function: dict[Key, dict[str, R]] = {}
        self._absent: dict[tuple[Key, str], float] = {}

    def on_change(self, listener: Callable[[R | None, R | None], None]) -> None:
        """Call a listener with a resource before and after each change."""
        self._listeners.append(listener)

    def of(self, function: Key) -> dict[str, R]:
        """Give what is known of a function."""
        return self._by_function.get(function, {})

    async def find(self, function: Key, name: str) -> R | None:
        """Give one, reading the store once where it is not known."""
        found = self.of(function).get(name)
        if found is not None or self._known_absent(function, name):
            return found
        for one in await self._resources.list(self._kind, function.namespace):
            if self._name_of(one) == (function.name, name):
                self._mirror.note(one.key, one)
                return one
        self._absent[function, name] = time.monotonic()
        return None

    def _known_absent(self, function: Key, name: str) -> bool:
        since = self._absent.get((function, name))
        if since is None:
            return False
        if time.monotonic() - since < ABSENCE_SECONDS:
            return True
        del self._absent[function, name]
        return False

    def _changed(self, before: R | None, after: R | None) -> None:
        if before is not None:
            where, name = self._where(before)
            self.of(where).pop(name, None)
        if after is not None:
            where, name = self._where(after)
            self._by_function.setdefault(where, {})[name] = after
            self._absent.pop((where, name), None)
        for listener in self._listeners:
            listener(before, after)

    def _where(self, resource: R) -> tuple[Key, str]:
        function, name = self._name_of(resource)
        return Key(resource.metadata.namespace, function), name


def _version_name(version: FunctionVersion) -> tuple[str, str]:
    return version.spec.function, version.number


def _alias_name(alias: FunctionAlias) -> tuple[str, str]:
    return alias.spec.function, alias.spec.alias
