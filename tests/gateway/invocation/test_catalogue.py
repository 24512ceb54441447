"""The functions that a gateway knows by name, and who waits for a change of one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight.cache import Cache
from pilotlight.conditions import condition
from pilotlight.resources import Code, Function, FunctionSpec, Key, ObjectMeta
from pilotlight_gateway.errors import FunctionNotFoundError
from pilotlight_gateway.invocation.catalogue import Catalogue
from pilotlight_gateway.invocation.published import Published
from pilotlight_gateway.invocation.reference import Reference
from pilotlight_gateway.invocation.targets import Targets
from tests.support.following import following
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class World:
    """A store, and a catalogue that follows it; `told` are the listener's calls, by revision."""

    def __init__(self) -> None:
        self.resources = MemoryResources()
        self.cache = Cache(self.resources, Function)
        self.catalogue = Catalogue(self.cache)
        self.told: list[tuple[str | None, str | None]] = []
        self.catalogue.on_change(
            lambda before, after: self.told.append((_revision(before), _revision(after)))
        )

    async def create(self, name: str) -> Function:
        """Make an object whose functionName is `shared`."""
        spec = FunctionSpec(
            function_name="shared", runtime="python3.13", handler="a.b", code=Code(inline="x")
        )
        metadata = ObjectMeta(name=name, namespace="default")
        return await self.resources.create(Function(metadata=metadata, spec=spec))

    async def say(self, name: str, *, revision: str | None = None, reason: str = "Serving") -> None:
        """Write a status as the operator does."""
        function = await self.resources.get(Function, Key("default", name))
        said = condition(None, "Ready", ("Unknown", reason, ""), generation=1, at="now")
        status = function.status.model_copy(update={"revision": revision, "conditions": [said]})
        await self.resources.write_status(function.model_copy(update={"status": status}))

    async def held(self) -> str | None:
        """Return the object that has the name, once the catalogue has seen all that was written."""
        for _ in range(10):
            await asyncio.sleep(0)
        found = self.catalogue.get("default", "shared")
        return found.metadata.name if found else None


def _revision(function: Function | None) -> str | None:
    return function.status.revision if function else None


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    async with following(found.cache):
        await found.catalogue.synced.wait()
        yield found


async def test_a_second_object_never_hides_the_one_that_has_the_name(world: World) -> None:
    await world.create("first")
    await world.say("first", revision="r1")
    await world.create("second")
    assert await world.held() == "first"
    await world.say("second", reason="NameTaken")
    assert await world.held() == "first"
    await world.resources.delete(Function, Key("default", "second"))
    assert await world.held() == "first"
    assert world.told == [(None, None), (None, "r1")]


async def test_a_name_that_is_free_goes_to_the_next(world: World) -> None:
    await world.create("first")
    await world.create("second")
    await world.say("second", reason="NameTaken")
    await world.resources.delete(Function, Key("default", "first"))
    assert await world.held() is None
    await world.say("second", revision="r2")
    assert await world.held() == "second"


async def test_who_asks_before_all_is_known_waits_for_the_one_that_serves() -> None:
    world = World()
    await world.create("another")
    await world.create("serving")
    await world.say("serving", revision="r1")
    asking = asyncio.create_task(world.catalogue.find("default", "shared"))
    await asyncio.sleep(0.01)
    assert not asking.done()
    async with following(world.cache):
        found = await asking
    assert found is not None
    assert found.metadata.name == "serving"


async def test_a_function_is_found_before_the_watch_tells() -> None:
    world = World()
    await world.create("shared")
    found = await world.catalogue.find("default", "shared")
    assert found is not None
    assert found.metadata.name == "shared"


async def test_everybody_who_waits_sees_a_change(world: World) -> None:
    function = await world.create("first")
    await world.held()
    waiting = [
        asyncio.create_task(world.catalogue.wait_for_change(function, seconds=10)) for _ in range(3)
    ]
    await world.say("first", revision=None, reason="Creating")  # a change, but of nothing awaited
    await world.held()
    assert not any(task.done() for task in waiting)
    await world.say("first", revision="r1")
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)


async def test_a_wait_ends_when_its_time_is_over(world: World) -> None:
    function = await world.create("first")
    await world.held()
    found = await world.catalogue.wait_until(function, lambda now: now is None, seconds=0.01)
    assert found is not None


async def test_what_a_name_means_is_known_until_its_function_changes(world: World) -> None:
    """Each call finds the same target, and the first after a change another, or none."""
    targets = Targets(world.catalogue, Published(world.cache))
    reference = Reference("default", "0" * 12, "us-east-1", "shared", None)
    await world.create("first")
    for revision in ("r1", "r2"):
        await world.say("first", revision=revision)
        await world.held()
        found = await targets.find(reference)
        assert found.revision is not None
        assert found.revision.revision == revision
        assert await targets.find(reference) is found
    await world.resources.delete(Function, Key("default", "first"))
    await world.held()
    with pytest.raises(FunctionNotFoundError):
        await targets.find(reference)
