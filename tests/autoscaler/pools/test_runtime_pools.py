"""The bounds of pools follow the `Runtime`s."""

from __future__ import annotations

import asyncio

from pilotlight.cache import Cache
from pilotlight.resources import Key, ObjectMeta, Runtime
from pilotlight.resources.runtime import RuntimeSpec
from pilotlight_autoscaler.pools.runtime_pools import RuntimePools
from tests.support.memory import MemoryResources


async def test_a_runtime_has_a_pool_while_it_is_there() -> None:
    resources = MemoryResources()
    cache = Cache(resources, Runtime)
    pools = RuntimePools(cache)
    following = asyncio.create_task(cache.run())
    spec = RuntimeSpec.model_validate({"image": "python:1", "pool": {"minimum": 2, "maximum": 5}})
    made = await resources.create(Runtime(metadata=ObjectMeta(name="python3.13"), spec=spec))
    await _settle()
    found = await pools.spec_of("python3.13")
    assert found is not None
    assert (found.minimum, found.maximum) == (2, 5)
    assert await pools.spec_of("nodejs22.x") is None
    newer = spec.model_copy(update={"image": "python:2"})
    await resources.replace(made.model_copy(update={"spec": newer}))
    await _settle()
    changed = await pools.spec_of("python3.13")
    assert changed is not None
    assert changed.recipe != found.recipe
    await resources.delete(Runtime, Key("", "python3.13"))
    await _settle()
    assert await pools.spec_of("python3.13") is None
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def _settle() -> None:
    """Let the watch tell what was written."""
    for _ in range(10):
        await asyncio.sleep(0)
