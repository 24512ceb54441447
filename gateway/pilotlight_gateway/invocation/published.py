"""A function's versions and aliases, as `catalogue` has the functions.

A view of the cache. What is not known is read once, and its absence believed for a second.
`targets` turns a reference into what it means by both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.names import alias_object_name, version_object_name
from pilotlight.publishing import versions_of
from pilotlight.resources import (
    ALIASES_BY_FUNCTION,
    ALIASES_BY_NAME,
    VERSIONS_BY_FUNCTION,
    VERSIONS_BY_NUMBER,
    FunctionAlias,
    FunctionVersion,
    Key,
)

if TYPE_CHECKING:
    from pilotlight.cache import Cache

__all__ = ["Published"]


class Published:
    """Versions and aliases by function."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def version(self, function: Key, number: str) -> FunctionVersion | None:
        """Return a version of a function's object."""
        wanted = (function, number)
        if not self._cache.by(VERSIONS_BY_NUMBER, wanted) and number.isdecimal():
            name = version_object_name(function.name, int(number))
            await self._cache.find(FunctionVersion, Key(function.namespace, name))
        return next(iter(self._cache.by(VERSIONS_BY_NUMBER, wanted)), None)

    async def alias(self, function: Key, name: str) -> FunctionAlias | None:
        """Return an alias of a function's object."""
        wanted = (function, name)
        if not self._cache.by(ALIASES_BY_NAME, wanted):
            key = Key(function.namespace, alias_object_name(function.name, name))
            await self._cache.find(FunctionAlias, key)
        return next(iter(self._cache.by(ALIASES_BY_NAME, wanted)), None)

    def versions(self, function: Key) -> list[FunctionVersion]:
        """Return the versions that are known, oldest first."""
        return versions_of(self._cache, function)

    def aliases(self, function: Key) -> list[FunctionAlias]:
        """Return the aliases that are known, by name."""
        known = self._cache.by(ALIASES_BY_FUNCTION, function)
        return sorted(known, key=lambda one: one.spec.alias)

    def newest(self, function: Key) -> FunctionVersion | None:
        """Return the version with the highest number."""
        known = self._cache.by(VERSIONS_BY_FUNCTION, function)
        return max(known, key=lambda one: one.spec.version, default=None)
