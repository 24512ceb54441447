"""The bounds of each runtime's pools, from the `Runtime` resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import Key, Runtime
from pilotlight.storage import Mirror

from .decide import PoolSpec

if TYPE_CHECKING:
    from pilotlight.resources import RuntimeSpec
    from pilotlight.storage import ResourceStore

__all__ = ["RuntimePools"]


class RuntimePools:
    """Follows the `Runtime`s; a runtime without one has no pool."""

    def __init__(self, resources: ResourceStore) -> None:
        self._runtimes = Mirror(resources, Runtime)
        self.run = self._runtimes.run

    async def spec_of(self, runtime: str) -> PoolSpec | None:
        """Give a runtime's bounds."""
        found = self._runtimes.held.get(Key("", runtime))
        return _pool_spec(found.spec) if found else None


def _pool_spec(runtime: RuntimeSpec) -> PoolSpec:
    recipe = runtime.model_dump_json(exclude={"pool"})
    return PoolSpec(runtime.pool.minimum, runtime.pool.maximum, recipe=recipe)
