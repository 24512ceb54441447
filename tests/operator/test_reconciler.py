"""The reconciler in virtual time: each key once at a time, never forgotten, never in a hurry."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, ClassVar

import pytest

from pilotlight.cache import Cache
from pilotlight.errors import UnavailableError
from pilotlight.resources import (
    Code,
    Function,
    FunctionSpec,
    Key,
    Namespace,
    ObjectMeta,
    Runtime,
    RuntimeSpec,
)
from pilotlight_operator.reconciler import LONGEST_DELAY, Reconciler
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from pilotlight.resources import Resource

pytestmark = pytest.mark.looptime

KEY = Key("team", "hello")


class Service:
    """Answers as it was told, call after call, then settled; functions concern it, and runtimes."""

    kind: ClassVar[type[Resource]] = Function

    def __init__(self, *answers: float | Exception | None, seconds: float = 0) -> None:
        self.answers = list(answers)
        self.seconds = seconds
        self.times: list[float] = []
        self.running = 0
        self.function = function()

    def affected_by(self, changed: Resource) -> list[Function]:
        return [self.function] if isinstance(changed, Runtime) else []

    async def reconcile(self, key: Key) -> float | None:
        assert key == KEY
        self.times.append(asyncio.get_running_loop().time())
        self.running += 1
        assert self.running == 1, "two calls at a time for one key"
        await asyncio.sleep(self.seconds)
        self.running -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def function() -> Function:
    """Make the function."""
    spec = FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"))
    return Function(metadata=ObjectMeta(name="hello", namespace="team"), spec=spec)


def reconciler_of(service: Service) -> Reconciler:
    """Make a reconciler that nothing but the test touches."""
    return Reconciler(Cache(MemoryResources(), Function, Runtime, Namespace), [service])


async def test_a_settled_key_is_called_once() -> None:
    service = Service()
    reconciler_of(service).touch(service, KEY)
    await asyncio.sleep(100)
    assert service.times == [0]


async def test_a_change_while_it_runs_makes_one_more_call() -> None:
    service = Service(seconds=1)
    reconciler = reconciler_of(service)
    reconciler.touch(service, KEY)
    await asyncio.sleep(0.5)
    reconciler.touch(service, KEY)
    reconciler.touch(service, KEY)
    await asyncio.sleep(100)
    assert service.times == [0, 1]


async def test_it_comes_back_when_it_was_told_to() -> None:
    service = Service(15.0, 1.0)
    reconciler_of(service).touch(service, KEY)
    await asyncio.sleep(100)
    assert service.times == [0, 15, 16]


async def test_failures_come_back_later_and_later() -> None:
    service = Service(*[UnavailableError("away") for _ in range(20)])
    reconciler_of(service).touch(service, KEY)
    await asyncio.sleep(10_000)
    waits = [round(later - earlier, 3) for earlier, later in itertools.pairwise(service.times)]
    assert len(service.times) == 21
    assert waits == sorted(waits)
    assert max(waits) == LONGEST_DELAY


async def test_a_change_does_not_wait_for_the_back_off() -> None:
    service = Service(UnavailableError("away"), 1000.0)
    reconciler = reconciler_of(service)
    reconciler.touch(service, KEY)
    await asyncio.sleep(10)
    reconciler.touch(service, KEY)
    await asyncio.sleep(1)
    assert service.times[-1] == 10


async def test_a_stuck_call_shows() -> None:
    service = Service(seconds=1000)
    reconciler = reconciler_of(service)
    reconciler.touch(service, KEY)
    await asyncio.sleep(200)
    assert reconciler.longest_call() == pytest.approx(200)
    await reconciler.close()
    assert reconciler.longest_call() == 0


class World:
    """A cache that a reconciler follows."""

    def __init__(self) -> None:
        self.cache = Cache(MemoryResources(), Function, Runtime, Namespace)
        self.resources = self.cache.resources
        self.service = Service()
        self.reconciler = Reconciler(self.cache, [self.service])

    async def calls(self) -> int:
        """Return how many calls were made since the last time."""
        await asyncio.sleep(100)
        count = len(self.service.times)
        self.service.times.clear()
        return count


async def test_what_is_there_and_what_comes_and_goes_is_looked_at() -> None:
    world = World()
    made = await world.resources.create(function())
    assert await world.calls() == 0
    world.reconciler.start()
    assert await world.calls() == 1
    spec = made.spec.model_copy(update={"memory": 256})
    await world.resources.replace(made.model_copy(update={"spec": spec}))
    assert await world.calls() == 1
    await world.resources.delete(Function, KEY)
    assert await world.calls() == 1


async def test_a_status_alone_is_no_reason_to_look() -> None:
    world = World()
    made = await world.resources.create(function())
    world.reconciler.start()
    assert await world.calls() == 1
    status = made.status.model_copy(update={"state": "Active"})
    await world.resources.write_status(made.model_copy(update={"status": status}))
    assert await world.calls() == 0
    labels = made.metadata.model_copy(update={"labels": {"a": "b"}, "resource_version": ""})
    await world.resources.replace(made.model_copy(update={"metadata": labels}))
    assert await world.calls() == 1


async def test_a_change_reaches_what_the_service_says() -> None:
    world = World()
    world.reconciler.start()
    runtime = Runtime(metadata=ObjectMeta(name="python3.13"), spec=RuntimeSpec(image="one"))
    made = await world.resources.create(runtime)
    assert await world.calls() == 1
    await world.resources.delete(Runtime, made.key)
    assert await world.calls() == 1
    await world.resources.create(Namespace(metadata=ObjectMeta(name="team")))
    assert await world.calls() == 0
