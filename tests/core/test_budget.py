"""A budget of bytes: what is lent never exceeds it, and turns go by arrival."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pilotlight.budget import ByteBudget


async def test_what_does_not_fit_waits_for_its_turn() -> None:
    """A small one does not overtake a large one that came before, which would starve."""
    budget = ByteBudget(10)
    assert await budget.take(8) == 8
    large, small = asyncio.create_task(budget.take(5)), asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    assert not large.done()
    assert not small.done()
    budget.give(8)
    assert (await large, await small, budget.left) == (5, 1, 4)


async def test_more_than_there_is_takes_all() -> None:
    """It would wait for ever otherwise."""
    budget = ByteBudget(10)
    assert (await budget.take(50), budget.left) == (10, 0)


async def test_who_gives_up_waiting_blocks_nobody_and_keeps_nothing() -> None:
    """Also at the moment when its turn has just come."""
    budget = ByteBudget(10)
    await budget.take(10)
    first, second = asyncio.create_task(budget.take(9)), asyncio.create_task(budget.take(2))
    await asyncio.sleep(0)
    first.cancel()
    budget.give(4)
    assert await second == 2
    third = asyncio.create_task(budget.take(4))
    await asyncio.sleep(0)
    budget.give(2)
    third.cancel()
    with suppress(asyncio.CancelledError):
        await third
    assert budget.left == 4


async def test_one_has_no_more_than_its_share_and_others_do_not_wait_for_it() -> None:
    """Also if it gives up while it waits for the whole."""
    budget = ByteBudget(40)
    greedy, other = budget.share("greedy"), budget.share("other")
    assert budget.share("greedy") is greedy
    assert await greedy.take(50) == 10
    waiting = asyncio.create_task(greedy.take(1))
    assert await other.take(3) == 3
    await asyncio.sleep(0)
    assert (waiting.done(), budget.left) == (False, 27)
    greedy.give(10)
    assert (await waiting, budget.left) == (1, 36)
    await budget.take(36)
    waiting = asyncio.create_task(greedy.take(9))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    budget.give(36)
    assert await greedy.take(9) == 9
