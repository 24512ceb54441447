"""What every queue promises, said once for all of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import NotFoundError
from pilotlight_gateway.event_queue.interface import (
    KEY_SECONDS,
    Again,
    Counts,
    Dead,
    Done,
    FunctionKey,
    QueueFullError,
    StaleLeaseError,
)
from tests.support.events import event

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import EventLease, EventQueue

F = FunctionKey("default", "f")


async def lease(queue: EventQueue, now: float = 0.0, limit: int = 10) -> list[EventLease]:
    return await queue.lease(limit, now, room=lambda _: 100)


def ids(leases: list[EventLease]) -> list[str]:
    return [one.event.id for one in leases]


async def test_an_event_comes_back_as_it_was(queue: EventQueue) -> None:
    wanted = event(
        "a", payload=b"\x00\xff", qualifier="prod", trace_id="Root=1", dedup_key="k", at=1.5,
        tenant_id="red",
    )  # fmt: skip
    assert await queue.enqueue(wanted) == [True]
    [found] = await lease(queue, 2.0)
    assert found.event == wanted
    assert (found.epoch, found.until, found.redelivered) == (1, 62.0, False)


async def test_nothing_is_leased_before_it_is_due_or_twice(queue: EventQueue) -> None:
    await queue.enqueue(event("now"), event("later", due_at=5.0))
    assert await queue.next_due() == 0.0
    assert ids(await lease(queue)) == ["now"]
    assert await queue.next_due() == 5.0
    assert ids(await lease(queue, 4.9)) == []
    assert ids(await lease(queue, 5.0)) == ["later"]


async def test_a_lease_that_ends_is_given_to_another_who_alone_may_settle(
    queue: EventQueue,
) -> None:
    await queue.enqueue(event("a"))
    [first] = await lease(queue)
    [second] = await lease(queue, 60.0)
    assert (second.epoch, second.redelivered) == (2, True)
    with pytest.raises(StaleLeaseError, match="epoch 1"):
        await queue.settle(first, Done())
    with pytest.raises(StaleLeaseError):
        await queue.extend(first, 1000.0)
    await queue.settle(second, Done())
    with pytest.raises(StaleLeaseError):
        await queue.settle(second, Done())
    assert await queue.counts() == Counts(enqueued=1, done=1)


async def test_a_lease_may_be_held_longer(queue: EventQueue) -> None:
    await queue.enqueue(event("a"))
    [held] = await lease(queue)
    held = await queue.extend(held, 100.0)
    assert held.until == 100.0
    assert await lease(queue, 99.0) == []
    assert ids(await lease(queue, 100.0)) == ["a"]


async def test_what_waits_again_says_how_often_it_was_tried(queue: EventQueue) -> None:
    await queue.enqueue(event("a"))
    [held] = await lease(queue)
    await queue.settle(held, Again(due_at=7.0, tries=1, refusals=2, delivery=b"{}"))
    assert await lease(queue, 6.9) == []
    [again] = await lease(queue, 7.0)
    found = again.event
    assert (found.tries, found.refusals, found.delivery, found.due_at) == (1, 2, b"{}", 7.0)
    assert (again.epoch, again.redelivered) == (2, False)


async def test_one_key_is_one_event(queue: EventQueue) -> None:
    assert await queue.enqueue(event("a", dedup_key="k"), event("b", dedup_key="k")) == [
        True,
        False,
    ]
    [held] = await lease(queue)
    await queue.settle(held, Done())
    assert await queue.enqueue(event("c", dedup_key="k", at=KEY_SECONDS - 1)) == [False]
    assert await queue.enqueue(event("d", "other", dedup_key="k")) == [True]
    assert await queue.enqueue(event("e", dedup_key="k", at=KEY_SECONDS)) == [True]
    assert await queue.enqueue(event("e")) == [False]
    assert (await queue.counts(F)).enqueued == 2


async def test_a_full_function_is_refused_and_others_are_not(queue: EventQueue) -> None:
    await queue.enqueue(*(event(str(number)) for number in range(9)))
    with pytest.raises(QueueFullError) as refused:
        await queue.enqueue(event("a"), event("b"))
    assert refused.value.reason == "FunctionInvocationRateLimitExceeded"
    assert (await queue.counts()).enqueued == 9
    assert await queue.enqueue(event("a"), event("b", "other")) == [True, True]
    held = (await lease(queue, limit=1))[0]
    await queue.settle(held, Done())
    assert await queue.enqueue(event("c")) == [True]


async def test_a_queue_is_bounded_in_bytes(queue: EventQueue) -> None:
    """Of each function and of an account; what is done or purged makes room, a dead letter not."""
    large = b"x" * 600
    await queue.enqueue(event("a", payload=large))
    with pytest.raises(QueueFullError, match="1000 bytes may stand"):
        await queue.enqueue(event("b", payload=large))
    [held] = await lease(queue)
    await queue.settle(held, Dead("RetriesExhausted", "", at=1.0))
    with pytest.raises(QueueFullError):
        await queue.enqueue(event("b", payload=large))
    await queue.purge(F)
    assert await queue.enqueue(event("b", payload=large)) == [True]
    [held] = await lease(queue)
    await queue.settle(held, Done())
    assert await queue.enqueue(*(event(f, f, payload=large) for f in "fghi")) == [True] * 4
    with pytest.raises(QueueFullError, match="bytes of its account"):
        await queue.enqueue(event("j", "j", payload=large))
    elsewhere = event("k", "j", payload=large, namespace="another")
    assert await queue.enqueue(elsewhere) == [True]
    assert (await queue.counts()).conserved


async def test_what_is_kept_already_takes_no_more_room(queue: EventQueue) -> None:
    """An event that comes twice is kept once, and counted once."""
    twice = event("a", payload=b"x" * 400)
    assert await queue.enqueue(twice) == [True]
    assert await queue.enqueue(twice) == [False]
    assert await queue.enqueue(event("b", payload=b"x" * 400)) == [True]
    with pytest.raises(QueueFullError):
        await queue.enqueue(event("c", payload=b"x" * 400))


async def test_functions_take_turns(queue: EventQueue) -> None:
    await queue.enqueue(*(event(f"f{number}") for number in range(8)))
    await queue.enqueue(event("g0", "g"), event("h0", "h"))
    assert Counter(one.event.function for one in await lease(queue, limit=6)) == {
        "f": 2, "g": 1, "h": 1,
    }  # fmt: skip
    shared = await queue.lease(6, 0.0, room=lambda one: 4 - 2 * (one == F))
    assert ids(shared) == ["f2", "f3"]
    assert await queue.lease(6, 0.0, room=lambda one: 4 - 4 * (one == F)) == []


async def test_dead_letters_are_kept_shown_redriven_and_purged(queue: EventQueue) -> None:
    await queue.enqueue(event("a"), event("b"), event("c"))
    for held in await lease(queue):
        await queue.settle(held, Dead("RetriesExhausted", f"no {held.event.id}", at=9.0))
    assert [one.event.id for one in await queue.dead_letters(F, limit=2)] == ["a", "b"]
    assert [one.event.id for one in await queue.dead_letters(F, after="b", limit=2)] == ["c"]
    letter = await queue.dead_letter("default", "b")
    assert (letter.reason, letter.message, letter.died_at) == ("RetriesExhausted", "no b", 9.0)
    with pytest.raises(NotFoundError):
        await queue.dead_letter("another", "b")
    assert await queue.redrive(F, 20.0, expires_at=50.0, ids=["b", "nobody"]) == 1
    [again] = await lease(queue, 20.0)
    assert (again.event.id, again.event.tries, again.event.expires_at) == ("b", 0, 50.0)
    assert await queue.purge(F, ids=["a"]) == 1
    assert await queue.purge(F) == 1
    counts = await queue.counts()
    assert counts == Counts(enqueued=3, in_flight=1, purged=2)
    assert counts.conserved


async def test_who_waits_is_told_of_an_arrival(queue: EventQueue) -> None:
    await queue.enqueue(event("a"))
    await queue.wait(10.0)
    waiting = asyncio.create_task(queue.wait(60.0))
    await asyncio.sleep(0)
    await queue.enqueue(event("b"))
    await asyncio.wait_for(waiting, 10.0)
    await queue.wait(0.01)


async def test_many_writers_at_once_each_get_their_own_answer(queue: EventQueue) -> None:
    async def enqueue(number: int) -> bool:
        try:
            [new] = await queue.enqueue(event(str(number % 12)))
        except QueueFullError:
            return False
        return new

    answers = await asyncio.gather(*(enqueue(number) for number in range(36)))
    counts = await queue.counts()
    assert sum(answers) == counts.enqueued == counts.waiting == 10
    leases = await lease(queue, limit=20)
    settlements = [queue.settle(held, Done()) for held in (*leases, *leases)]
    outcomes = await asyncio.gather(*settlements, return_exceptions=True)
    assert sum(isinstance(outcome, StaleLeaseError) for outcome in outcomes) == 10
    assert await queue.counts() == Counts(enqueued=10, done=10)
