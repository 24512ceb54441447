"""A deadline that moves."""

import asyncio

import pytest

from pilotlight_agent.processes.timer import Timer

pytestmark = pytest.mark.looptime


@pytest.fixture
def fired() -> list[float]:
    """The moments at which the timer called."""
    return []


def make(fired: list[float]) -> Timer:
    """Return a timer that notes when it calls."""
    loop = asyncio.get_running_loop()
    return Timer(lambda: fired.append(loop.time()))


async def test_calls_once_at_its_moment(fired: list[float]) -> None:
    """Neither early nor twice."""
    timer = make(fired)
    timer.set(3)
    assert timer.is_set
    await asyncio.sleep(10)
    assert fired == [3]
    assert not timer.is_set


async def test_a_later_moment_replaces_an_earlier_one(fired: list[float]) -> None:
    """What counts is the moment that was set last."""
    timer = make(fired)
    timer.set(3)
    timer.set(7)
    await asyncio.sleep(10)
    assert fired == [7]


async def test_an_earlier_moment_replaces_a_later_one(fired: list[float]) -> None:
    """An armed timer does not delay a nearer deadline."""
    timer = make(fired)
    timer.set(7)
    timer.set(3)
    await asyncio.sleep(10)
    assert fired == [3]


async def test_a_cleared_timer_is_silent_and_can_be_set_again(fired: list[float]) -> None:
    """Clearing forgets the moment, not the way."""
    timer = make(fired)
    timer.set(3)
    timer.clear()
    await asyncio.sleep(5)
    assert fired == []
    timer.set(8)
    await asyncio.sleep(10)
    assert fired == [8]
