"""One field is written, whatever else of a resource is being changed."""

from __future__ import annotations

from typing import TypeVar

import pytest

from pilotlight.resources import Code, Function, FunctionSpec, Key, ObjectMeta, Resource
from pilotlight_gateway.apis.lambda_.writing import write_field
from pilotlight_gateway.errors import ResourceConflictError
from tests.support.memory import MemoryResources

KEY = Key("default", "fn")
R = TypeVar("R", bound=Resource)


@pytest.fixture
async def resources() -> MemoryResources:
    found = MemoryResources()
    metadata = ObjectMeta(name="fn", namespace="default", annotations={"old": "1", "kept": "2"})
    spec = FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"))
    await found.create(Function(metadata=metadata, spec=spec))
    return found


async def describe(resources: MemoryResources, text: str) -> None:
    """Change another field of the function, as somebody else would."""
    function = await resources.get(Function, KEY)
    spec = function.spec.model_copy(update={"description": text})
    await resources.replace(function.model_copy(update={"spec": spec}))


async def test_what_others_changed_meanwhile_stays(resources: MemoryResources) -> None:
    function = await resources.get(Function, KEY)
    await describe(resources, "another")
    written = await write_field(
        resources, function, "reserved_concurrency", 7, annotations={"old": None, "new": "3"}
    )
    assert written == await resources.get(Function, KEY)
    assert (written.spec.reserved_concurrency, written.spec.description) == (7, "another")
    assert written.metadata.annotations == {"kept": "2", "new": "3"}


class Contested(MemoryResources):
    """Somebody writes before every write."""

    async def replace(self, resource: R) -> R:
        await super().replace(await self.get(type(resource), resource.key))
        return await super().replace(resource)


async def test_it_gives_up_where_others_write_all_the_time() -> None:
    contested = Contested()
    spec = FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"))
    metadata = ObjectMeta(name="fn", namespace="default")
    function = await contested.create(Function(metadata=metadata, spec=spec))
    with pytest.raises(ResourceConflictError, match="being changed by others"):
        await write_field(contested, function, "reserved_concurrency", 7)
