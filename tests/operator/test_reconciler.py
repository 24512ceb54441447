"""The reconciler in virtual time: each key once at a time, never forgotten, never in a hurry."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from pilotlight.errors import UnavailableError
from pilotlight.resources import Key
from pilotlight_operator.dependents import Dependents
from pilotlight_operator.reconciler import LONGEST_DELAY, Reconciler

pytestmark = pytest.mark.looptime

KEY = Key("team", "hello")


class Service:
    """Answers as it was told, call after call, then settled."""

    def __init__(self, *answers: float | Exception | None, seconds: float = 0) -> None:
        self.answers = list(answers)
        self.seconds = seconds
        self.times: list[float] = []
        self.running = 0

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


async def test_a_settled_key_is_called_once() -> None:
    service = Service()
    Reconciler(service).touch(KEY)
    await asyncio.sleep(100)
    assert service.times == [0]


async def test_a_change_while_it_runs_makes_one_more_call() -> None:
    service = Service(seconds=1)
    reconciler = Reconciler(service)
    reconciler.touch(KEY)
    await asyncio.sleep(0.5)
    reconciler.touch(KEY)
    reconciler.touch(KEY)
    await asyncio.sleep(100)
    assert service.times == [0, 1]


async def test_it_comes_back_when_it_was_told_to() -> None:
    service = Service(15.0, 1.0)
    Reconciler(service).touch(KEY)
    await asyncio.sleep(100)
    assert service.times == [0, 15, 16]


async def test_failures_come_back_later_and_later() -> None:
    service = Service(*[UnavailableError("away") for _ in range(20)])
    Reconciler(service).touch(KEY)
    await asyncio.sleep(10_000)
    waits = [round(later - earlier, 3) for earlier, later in itertools.pairwise(service.times)]
    assert len(service.times) == 21
    assert waits == sorted(waits)
    assert max(waits) == LONGEST_DELAY


async def test_a_change_does_not_wait_for_the_back_off() -> None:
    service = Service(UnavailableError("away"), 1000.0)
    reconciler = Reconciler(service)
    reconciler.touch(KEY)
    await asyncio.sleep(10)
    reconciler.touch(KEY)
    await asyncio.sleep(1)
    assert service.times[-1] == 10


async def test_a_stuck_call_shows() -> None:
    reconciler = Reconciler(Service(seconds=1000))
    reconciler.touch(KEY)
    await asyncio.sleep(200)
    assert reconciler.longest_call() == pytest.approx(200)
    await reconciler.close()
    assert reconciler.longest_call() == 0


def test_dependents_follow_what_a_function_refers_to() -> None:
    dependents = Dependents()
    other = Key("team", "other")
    dependents.note(KEY, {"runtime": "python3.13", "environmentFrom": {"secret": "one"}})
    dependents.note(other, {"runtime": "python3.13"})
    assert dependents.of_runtime("python3.13") == {KEY, other}
    assert dependents.of_secret(Key("team", "one")) == {KEY}
    assert dependents.of_secret(Key("elsewhere", "one")) == set()
    dependents.note(KEY, {"runtime": "ruby3.4"})
    assert dependents.of_secret(Key("team", "one")) == set()
    assert dependents.of_runtime("python3.13") == {other}
    dependents.forget(other)
    assert dependents.of_runtime("python3.13") == set()
