"""The bounds of each runtime's pools, from the `Runtime` resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import Key, Runtime

from .decide import PoolSpec

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.resources import RuntimeSpec

__all__ = ["RuntimePools"]


class RuntimePools:
    """Knows the `Runtime`s; a runtime without one has no pool."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def spec_of(self, runtime: str) -> PoolSpec | None:
        """Return a runtime's bounds."""
        found = self._cache.get(Runtime, Key("", runtime))
        return _pool_spec(found.spec) if found else None


def _pool_spec(runtime: RuntimeSpec) -> PoolSpec:
    return PoolSpec(runtime.pool.minimum, runtime.pool.maximum, recipe=runtime.recipe)
