"""Turns on nodes: never too many at once, one function does not make another wait for all of it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.resources import Key
from pilotlight_autoscaler.lanes import Lanes

pytestmark = pytest.mark.looptime

A, B = Key("default", "a"), Key("default", "b")


def _nothing() -> list[Key]:
    return []


async def start(lanes: Lanes, function: Key, done: list[Key], node: str = "n") -> None:
    async with lanes.turn(node, function):
        assert lanes.running(node) <= 2
        await asyncio.sleep(1)
        done.append(function)


async def test_functions_take_turns() -> None:
    """What comes after twenty of another function waits for two of them."""
    lanes, done = Lanes(2), _nothing()
    many = [asyncio.create_task(start(lanes, A, done)) for _ in range(20)]
    await asyncio.sleep(0.5)
    await start(lanes, B, done)
    assert done.count(A) <= 4
    await asyncio.gather(*many)
    assert (done.count(A), lanes.running("n")) == (20, 0)


async def test_nodes_do_not_wait_for_each_other() -> None:
    """Each has its own turns."""
    lanes, done = Lanes(2), _nothing()
    loop = asyncio.get_running_loop()
    began = loop.time()
    starts = (start(lanes, A, done, node) for node in ("n", "m") for _ in range(2))
    await asyncio.gather(*starts)
    assert loop.time() - began < 1.5


async def test_who_goes_away_leaves_its_turn_to_others() -> None:
    """While it waits, and at the moment that the turn comes."""
    lanes, done = Lanes(1), _nothing()
    first = asyncio.create_task(start(lanes, A, done))
    gone, last = (asyncio.create_task(start(lanes, B, done)) for _ in range(2))
    await asyncio.sleep(0.5)
    gone.cancel()
    await first
    await last
    assert done == [A, B]
    first, granted = (asyncio.create_task(start(lanes, A, done)) for _ in range(2))
    await asyncio.sleep(0.5)
    first.add_done_callback(lambda _: granted.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await granted
    await asyncio.sleep(0)
    assert lanes.running("n") == 0


@given(st.lists(st.sampled_from([(A, False), (B, False), (A, True), (B, True)]), max_size=30))
async def test_every_turn_comes_back(plan: list[tuple[Key, bool]]) -> None:
    """Whoever waits, ends or is cancelled."""
    lanes, done = Lanes(2), _nothing()
    tasks = [asyncio.create_task(start(lanes, function, done)) for function, _ in plan]
    await asyncio.sleep(1.5)
    for task, (_, cancelled) in zip(tasks, plan, strict=True):
        if cancelled:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert lanes.running("n") == 0
    assert len(done) >= sum(not cancelled for _, cancelled in plan)
