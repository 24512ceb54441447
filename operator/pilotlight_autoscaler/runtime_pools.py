"""The bounds of each runtime's pools, from the `Runtime` resources."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from pilotlight.resources import Runtime

from .pools import PoolSpec

if TYPE_CHECKING:
    from pilotlight.resources import RuntimeSpec
    from pilotlight.storage import ResourceStore

__all__ = ["RuntimePools"]


class RuntimePools:
    """Follows the `Runtime`s; a runtime without one has no pool."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources
        self._specs: dict[str, PoolSpec] = {}

    async def spec_of(self, runtime: str) -> PoolSpec | None:
        """Give a runtime's bounds."""
        return self._specs.get(runtime)

    async def run(self) -> None:
        """Follow the runtimes, for ever."""
        async with aclosing(self._resources.watch(Runtime)) as changes:
            async for change in changes:
                found = change.resource
                if found is None:
                    continue
                if change.kind == "present":
                    self._specs[found.metadata.name] = _pool_spec(found.spec)
                else:
                    self._specs.pop(found.metadata.name, None)


def _pool_spec(runtime: RuntimeSpec) -> PoolSpec:
    recipe = runtime.model_dump_json(exclude={"pool"})
    return PoolSpec(runtime.pool.minimum, runtime.pool.maximum, recipe=recipe)
