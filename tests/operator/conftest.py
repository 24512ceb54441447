"""What the operator's unit tests share: stores in memory and a service over them."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.errors import NotFoundError
from pilotlight.publishing import versions_of
from pilotlight.resources import Function, Key, Namespace, ObjectMeta, Runtime, RuntimeSpec
from pilotlight.resources.registry import KINDS
from pilotlight.walls import Walls
from pilotlight_operator.services.functions import FunctionService
from pilotlight_operator.services.packages import Packages
from tests.support.buckets import MemoryBuckets
from tests.support.memory import MemoryArtifacts, MemoryResources, Writes

SOURCE = "def handler(event, context):\n    return event\n"


class Gateways:
    """Acknowledges at once, or as often as it was told to be slow not at all."""

    def __init__(self) -> None:
        self.slow = 0
        self.asked: list[tuple[Key, str]] = []

    async def wait(self, function: Key, revision: str, *, seconds: float) -> bool:
        assert seconds > 0
        self.asked.append((function, revision))
        self.slow -= 1
        return self.slow < 0


class Platform:
    """The service with everything around it."""

    def __init__(self) -> None:
        self.writes = Writes()
        self.resources = MemoryResources(self.writes)
        self.artifacts = MemoryArtifacts(self.writes)
        self.buckets = MemoryBuckets()
        self.gateways = Gateways()
        self.restart()

    def restart(self) -> None:
        """Start the operator anew; only what was written survives."""
        self.cache = Cache(self.resources, *KINDS.values())
        self.service = FunctionService(
            self.cache,
            Packages(self.artifacts, self.buckets),
            self.gateways,
            region="us-east-1",
            accounts=Accounts(self.cache),
            walls=Walls(),
        )

    async def prepare(self) -> None:
        """Make the namespace and the runtime that most tests need."""
        await self.resources.create(Namespace(metadata=ObjectMeta(name="team")))
        runtime = Runtime(metadata=ObjectMeta(name="python3.13"), spec=RuntimeSpec(image="python"))
        await self.resources.create(runtime)

    async def apply(self, name: str = "hello", **spec: Any) -> Function:
        """Create a function or change its spec, as kubectl would."""
        wanted = Function.model_validate(
            {
                "metadata": {"name": name, "namespace": "team"},
                "spec": {"runtime": "python3.13", "handler": "index.handler"}
                | {"code": {"inline": SOURCE}}
                | spec,
            }
        )
        try:
            stored = await self.resources.get(Function, wanted.key)
        except NotFoundError:
            return await self.resources.create(wanted)
        return await self.resources.replace(stored.model_copy(update={"spec": wanted.spec}))

    async def function(self, name: str = "hello") -> Function:
        """Read a function back."""
        return await self.resources.get(Function, Key("team", name))

    async def reconcile(self, name: str = "hello") -> float | None:
        """Call the service once, with all that was written known."""
        await self.cache.refresh()
        return await self.service.reconcile(Key("team", name))

    async def versions(self, name: str = "hello", *, reconcile: bool = True) -> list[int]:
        """Return the numbers of a function's versions, once it is reconciled."""
        if reconcile:
            await self.reconcile(name)
        await self.cache.refresh()
        return [one.spec.version for one in versions_of(self.cache, Key("team", name))]


@pytest.fixture
async def platform() -> Platform:
    platform = Platform()
    await platform.prepare()
    return platform
