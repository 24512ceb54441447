"""The feed of the embedded store: nothing is decided before all is known, no change is missed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest

from pilotlight.cache import Cache
from pilotlight.resources import FUNCTIONS_BY_SECRET, Function, Key, ObjectMeta, Secret
from pilotlight_operator.feeds.store import feed
from pilotlight_operator.reconciler import Reconciler
from tests.support.memory import MemoryResources
from tests.support.platform import manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.resources import Resource

KEY = Key("default", "hello")
pytestmark = pytest.mark.looptime(idle_timeout=1000)


def function(name: str = "hello", **spec: object) -> Function:
    """Make a function."""
    document = manifest(name, **spec)
    document["metadata"]["namespace"] = "default"
    return Function.model_validate(document)


class Service:
    """Notes which functions were looked at, and how many were known by then."""

    kind: ClassVar[type[Resource]] = Function

    def __init__(self, cache: Cache) -> None:
        self.calls: list[tuple[str, int]] = []
        self._cache = cache

    def affected_by(self, changed: Resource) -> list[Function]:
        if not isinstance(changed, Secret):
            return []
        return self._cache.by(FUNCTIONS_BY_SECRET, changed.key)

    async def reconcile(self, key: Key) -> float | None:
        self.calls.append((key.name, len(list(self._cache.all(Function)))))
        return None


@asynccontextmanager
async def running(resources: MemoryResources) -> AsyncIterator[Service]:
    """Run a feed during a block."""
    cache = Cache(resources, Function, Secret)
    service = Service(cache)
    task = asyncio.create_task(feed(cache, Reconciler(cache, [service])))
    await asyncio.sleep(10)
    yield service
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_looked_at_before_all_is_known() -> None:
    resources = MemoryResources()
    for name in ("one", "two"):
        await resources.create(function(name))
    async with running(resources) as service:
        assert service.calls == [("one", 2), ("two", 2)]


async def test_what_others_write_is_looked_at() -> None:
    resources = MemoryResources()
    async with running(resources) as service:
        stored = await resources.create(function())
        await asyncio.sleep(10)
        stored.spec.memory = 256
        await resources.replace(stored)
        await asyncio.sleep(10)
        await resources.delete(Function, KEY)
        await asyncio.sleep(10)
        assert service.calls == [("hello", 1), ("hello", 1), ("hello", 0)]


async def test_a_secret_wakes_the_functions_that_refer_to_it() -> None:
    """And no others."""
    resources = MemoryResources()
    await resources.create(function(environmentFrom={"secret": "mine"}))
    async with running(resources) as service:
        service.calls.clear()
        for name, calls in (("others", 0), ("mine", 1)):
            metadata = ObjectMeta(name=name, namespace="default")
            await resources.create(Secret(metadata=metadata, string_data={"A": "b"}))
            await asyncio.sleep(10)
            assert len(service.calls) == calls
