"""The local reconciler misses no change, retries with back-off, and works once at a time a key."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import UnavailableError
from pilotlight.resources import Function, Key, ObjectMeta, Secret
from pilotlight_operator.feeds.store import Reconciler
from tests.support.memory import MemoryResources
from tests.support.platform import manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = Key("default", "hello")
pytestmark = pytest.mark.looptime(idle_timeout=1000)


def function(**spec: object) -> Function:
    """Make a function."""
    document = manifest("hello", **spec)
    document["metadata"]["namespace"] = "default"
    return Function.model_validate(document)


class Service:
    """Notes when it was called, and answers as it is told."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.calls: list[float] = []
        self.answers = list(answers)
        self.working = 0
        self.called = asyncio.Event()

    async def reconcile(self, key: Key) -> float | None:
        """Take a second for it."""
        assert key == KEY
        assert self.working == 0, "two at a time for one key"
        self.calls.append(asyncio.get_running_loop().time())
        self.called.set()
        self.working += 1
        await asyncio.sleep(1)
        self.working -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def running(resources: MemoryResources, service: Service) -> AsyncIterator[None]:
    """Run a reconciler during a block."""
    task = asyncio.create_task(Reconciler(resources, service).run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def waits(service: Service) -> list[float]:
    """Give the time between calls beside the work itself."""
    return [round(b - a - 1, 3) for a, b in zip(service.calls, service.calls[1:], strict=False)]


async def test_what_is_there_and_what_comes_is_reconciled() -> None:
    """A settled function rests until something changes."""
    resources, service = MemoryResources(), Service()
    stored = await resources.create(function())
    async with running(resources, service):
        await asyncio.sleep(100)
        assert len(service.calls) == 1
        stored.spec.memory = 256
        await resources.replace(stored)
        await asyncio.sleep(100)
        assert len(service.calls) == 2


async def test_a_change_during_the_work_makes_it_work_once_more() -> None:
    """Not in parallel, and however many changes came."""
    resources, service = MemoryResources(), Service()
    stored = await resources.create(function())
    async with running(resources, service):
        await service.called.wait()
        for memory in (256, 512, 1024):
            stored.spec.memory = memory
            stored = await resources.replace(stored)
        await asyncio.sleep(100)
    assert waits(service) == [0.0]


async def test_a_failure_is_retried_with_back_off() -> None:
    """Any failure, doubling from a tenth of a second; a success begins anew."""
    failures = [UnavailableError("the disk is full"), ValueError("a bug"), UnavailableError("x")]
    resources, service = MemoryResources(), Service(*failures)
    await resources.create(function())
    async with running(resources, service):
        await asyncio.sleep(100)
    assert waits(service) == [0.1, 0.2, 0.4]


async def test_it_comes_back_when_the_service_says() -> None:
    """Though nothing changed."""
    resources, service = MemoryResources(), Service(15.0, None)
    await resources.create(function())
    async with running(resources, service):
        await asyncio.sleep(100)
    assert waits(service) == [15.0]


async def test_a_secret_wakes_the_functions_that_refer_to_it() -> None:
    """And no others."""
    resources, service = MemoryResources(), Service()
    await resources.create(function(environmentFrom={"secret": "mine"}))
    async with running(resources, service):
        await asyncio.sleep(10)
        for name in ("others", "mine"):
            metadata = ObjectMeta(name=name, namespace="default")
            await resources.create(Secret(metadata=metadata, string_data={"A": "b"}))
            await asyncio.sleep(10)
    assert len(service.calls) == 2
    assert service.calls[1] >= service.calls[0] + 20
