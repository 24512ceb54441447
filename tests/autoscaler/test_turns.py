"""Turns on nodes: never too many at once, one function does not make another wait for all of it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.resources import Key
from pilotlight_autoscaler.turns import Turns

pytestmark = pytest.mark.looptime

A, B, C = (Key("default", name) for name in "abc")
TURNS = 3


def _nothing() -> list[Key]:
    return []


async def start(turns: Turns, function: Key, done: list[Key], node: str = "n") -> None:
    async with turns.turn(node, function):
        await asyncio.sleep(1)
        done.append(function)


async def test_who_comes_next_finds_a_turn_free() -> None:
    """Whatever another function has under way."""
    turns, done = Turns(2), _nothing()
    many = [asyncio.create_task(start(turns, A, done)) for _ in range(20)]
    await asyncio.sleep(0.5)
    began = asyncio.get_running_loop().time()
    await start(turns, B, done)
    assert asyncio.get_running_loop().time() - began < 1.1
    await asyncio.gather(*many)
    assert (done.count(A), turns.running("n")) == (20, 0)


async def test_further_starts_wait_while_another_function_comes_new() -> None:
    """On two processors the other one is then free for what belongs to that start."""
    turns, done = Turns(2), _nothing()
    many = [asyncio.create_task(start(turns, A, done)) for _ in range(5)]
    await asyncio.sleep(0.5)
    new = asyncio.create_task(start(turns, B, done))
    await asyncio.sleep(0.75)
    assert (turns.running("n", A), turns.running("n", B)) == (0, 1)
    await new
    await asyncio.sleep(0)
    assert turns.running("n", A) == 1
    await asyncio.gather(*many)


async def test_anothers_new_functions_pass_nobody_over() -> None:
    """An account has its share of the turns for starts of one function, too, as a pool's."""
    turns, done, flood = Turns(4), _nothing(), _nothing()
    await start(turns, A, done)
    new = [Key("flood", str(number)) for number in range(100)]
    many = [asyncio.create_task(start(turns, one, flood)) for one in new]
    few = [asyncio.create_task(start(turns, A, done)) for _ in range(6)]
    await asyncio.sleep(1.5)
    assert (turns.running("n", A), turns.running("n")) == (2, 4)
    await asyncio.gather(*few)
    assert len(flood) < 20
    await asyncio.gather(*many)


async def test_new_functions_of_its_account_pass_nobody_over_for_ever() -> None:
    """What was there before waits for as many of them as there are turns, and no longer."""
    turns, done, flood = Turns(4), _nothing(), _nothing()
    new = [Key("default", str(number)) for number in range(100)]
    with turns.hold("n", B):  # the node does not rest
        await start(turns, A, done)
        many = [asyncio.create_task(start(turns, one, flood)) for one in new[:3]]
        await asyncio.sleep(0.5)
        passed = asyncio.create_task(start(turns, A, done))
        await asyncio.sleep(0)
        many += [asyncio.create_task(start(turns, one, flood)) for one in new[3:]]
        await passed
        assert len(flood) < 15
        await asyncio.gather(*many)


async def test_further_starts_of_several_functions_leave_the_last_turn_free() -> None:
    """However long they wait: nobody is passed over while no other one gets it."""
    turns, done = Turns(4), _nothing()
    with turns.hold("n", Key("default", "held")):  # the node does not rest
        known = [Key("default", f"known-{number}") for number in range(8)]
        await asyncio.gather(*(start(turns, one, done) for one in known))
        many = [start(turns, one, done) for one in known for _ in range(4)]
        waiting = [asyncio.create_task(one) for one in many]
        for number in range(3):
            await asyncio.sleep(3.1)
            assert turns.running("n") == 3
            began = asyncio.get_running_loop().time()
            await start(turns, Key("default", f"new-{number}"), done)
            assert asyncio.get_running_loop().time() - began < 1.1
        await asyncio.gather(*waiting)


async def test_functions_that_all_come_new_have_all_turns() -> None:
    turns, done = Turns(2), _nothing()
    starts = [asyncio.create_task(start(turns, one, done)) for one in (A, B, C)]
    await asyncio.sleep(1.5)
    assert (len(done), turns.running("n")) == (2, 1)
    await asyncio.gather(*starts)


async def test_functions_take_turns() -> None:
    """Where all are taken, who comes last waits for two of each at most, not for all of them."""
    turns, done = Turns(2), _nothing()
    many = [asyncio.create_task(start(turns, one, done)) for one in (A, B) for _ in range(10)]
    await asyncio.sleep(0.5)
    await start(turns, C, done)
    assert len(done) <= 6
    await asyncio.gather(*many)
    assert turns.running("n") == 0


async def test_nodes_do_not_wait_for_each_other() -> None:
    """Each has its own turns."""
    turns, done = Turns(TURNS), _nothing()
    loop = asyncio.get_running_loop()
    began = loop.time()
    starts = (start(turns, A, done, node) for node in ("n", "m") for _ in range(2))
    await asyncio.gather(*starts)
    assert loop.time() - began < 1.5


async def test_who_goes_away_leaves_its_turn_to_others() -> None:
    """While it waits, and at the moment that the turn comes."""
    turns, done = Turns(1), _nothing()
    first = asyncio.create_task(start(turns, A, done))
    gone, last = (asyncio.create_task(start(turns, B, done)) for _ in range(2))
    await asyncio.sleep(0.5)
    gone.cancel()
    await first
    await last
    assert done == [A, B]
    first, granted = (asyncio.create_task(start(turns, A, done)) for _ in range(2))
    await asyncio.sleep(0.5)
    first.add_done_callback(lambda _: granted.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await granted
    await asyncio.sleep(0)
    assert turns.running("n") == 0


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.booleans()), max_size=30))
async def test_turns_are_bounded_and_none_is_lost(plan: list[tuple[Key, bool]]) -> None:
    """Never more than there are, never all for one function, whoever ends or is cancelled."""
    turns, done = Turns(TURNS), _nothing()
    tasks = [asyncio.create_task(start(turns, function, done)) for function, _ in plan]
    await asyncio.sleep(1.5)
    for task, (_, cancelled) in zip(tasks, plan, strict=True):
        if cancelled:
            task.cancel()
    while not all(task.done() for task in tasks):
        taken = [turns.running("n", function) for function in (A, B, C)]
        assert sum(taken) == turns.running("n") <= TURNS
        assert max(taken) < TURNS
        await asyncio.sleep(0.5)
    assert turns.running("n") == 0
    assert len(done) >= sum(not cancelled for _, cancelled in plan)


async def test_a_node_with_one_turn_gives_it_to_everybody() -> None:
    """There is none to leave to others."""
    turns, done = Turns(1), _nothing()
    await asyncio.gather(*(start(turns, function, done) for function in (A, A, B)))
    assert sorted(done) == [A, A, B]


async def test_a_node_has_as_many_turns_as_processors() -> None:
    """From when its first agent has told; others keep the fewest."""
    turns, done = Turns(2), _nothing()
    many = [asyncio.create_task(start(turns, A, done)) for _ in range(20)]
    await asyncio.sleep(0.5)
    assert turns.running("n") == 1
    turns.learn("n", 8)
    await asyncio.sleep(0.25)
    assert turns.running("n") == 7, "the last one is left to functions that come new"
    small = [asyncio.create_task(start(turns, B, done, "small")) for _ in range(3)]
    await asyncio.sleep(0)
    assert turns.running("small") == 1
    await asyncio.gather(*many, *small)
