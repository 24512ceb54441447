"""Who gets which environment: examples, and the rules that hold whatever happens."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pilotlight.claims import Demand, Lease, RevisionKey
from pilotlight.errors import ThrottledError
from pilotlight_gateway.invocation.dispatch.environment import Environment
from pilotlight_gateway.invocation.dispatch.queue import (
    FEW,
    LONGEST_QUEUE,
    MOST_FAILED,
    PATIENCE_SECONDS,
    RevisionQueue,
)

REVISION = RevisionKey("default", "f", "0" * 16)
NO_ROOM = ThrottledError("no", reason="R", of_room=True)


def make_environment(number: int = 0) -> Environment:
    lease = Lease(f"l{number}", REVISION, f"e{number}", "default/p", "127.0.0.1", 1, number)
    return Environment.of(lease, b"key", "gateway")


async def busy_queue(calls: int, seconds: float) -> RevisionQueue:
    """Return a queue whose one environment has run so many calls of so many seconds, and runs."""
    queue = RevisionQueue()
    queue.add(make_environment())
    for _ in range(calls):
        environment = queue.take()
        assert environment is not None
        await asyncio.sleep(seconds)
        queue.give_back(environment)
    queue.take()
    return queue


async def test_the_longest_waiting_is_served_first() -> None:
    queue = RevisionQueue()
    first, second = queue.wait(), queue.wait()
    environment = make_environment()
    assert queue.add(environment)
    assert first.done()
    assert not second.done()
    assert queue.give_back(environment)
    assert second.result() is environment
    assert (queue.busy, queue.waiting) == (1, 0)


async def test_the_warmest_is_taken_first() -> None:
    queue = RevisionQueue()
    cold, warm = make_environment(1), make_environment(2)
    queue.add(cold)
    queue.add(warm)
    assert queue.take() is warm


@pytest.mark.looptime
async def test_a_failed_claim_is_not_told_to_who_came_after_it_was_made() -> None:
    """It waited for a pod for ten seconds; what is there may serve him in a moment."""
    queue = RevisionQueue()
    made_at = asyncio.get_running_loop().time()
    await asyncio.sleep(10)
    late = queue.wait()
    queue.fail(ThrottledError("no", reason="R"), made_at)
    assert not late.done()
    queue.fail(ThrottledError("no", reason="R"), made_at + 10)
    with pytest.raises(ThrottledError):
        await late


async def test_what_cannot_be_initialised_keeps_few_environments_until_it_can() -> None:
    """Its callers wait for those; a function of which one call in many fails so loses nothing."""
    queue = RevisionQueue()
    environments = [make_environment(number) for number in range(FEW + 2)]
    waiters = [queue.wait() for _ in range(20)]
    assert all(queue.add(one) for one in environments)
    for _ in range(MOST_FAILED - 1):
        queue.note(initialised=False)
    assert queue.needs_claim
    queue.note(initialised=False)
    assert not queue.needs_claim
    kept = [one for one in environments if queue.give_back(one)]
    assert len(kept) == FEW == queue.busy
    assert sum(waiter.done() for waiter in waiters) == len(environments) + FEW
    assert not queue.add(make_environment(9))
    queue.note(initialised=True)
    assert queue.needs_claim
    assert queue.give_back(kept[0])


async def test_claims_of_what_cannot_be_initialised_are_withdrawn() -> None:
    queue = RevisionQueue()
    for _ in range(8):
        queue.wait()
        queue.claims += 1
        queue.demands[Demand()] = None
    assert queue.excess() == []
    for _ in range(MOST_FAILED):
        queue.note(initialised=False)
    assert len(queue.excess()) == 8 - FEW


async def test_a_failed_claim_tells_the_newest_that_has_none() -> None:
    queue = RevisionQueue()
    old, new = queue.wait(), queue.wait()
    queue.claims = 2
    queue.claims -= 1
    queue.fail(ThrottledError("no", reason="R"), asyncio.get_running_loop().time())
    with pytest.raises(ThrottledError):
        await new
    assert not old.done()


async def test_a_limit_refuses_all_that_have_no_claim() -> None:
    """Of 468 over a limit, with a few claims at a time, most would wait long to be told."""
    queue = RevisionQueue()
    old, *others = [queue.wait() for _ in range(5)]
    queue.claims = 1
    queue.refuse(ThrottledError("no", reason="R"))
    assert [waiter.done() for waiter in (old, *others)] == [False, True, True, True, True]
    for waiter in others:
        with pytest.raises(ThrottledError):
            await waiter


@pytest.mark.looptime
async def test_where_there_is_only_no_room_calls_wait_for_what_is_there() -> None:
    """As many as its environments take in a moment; nobody claims for them meanwhile."""
    queue = await busy_queue(calls=8, seconds=0.2)
    waiters = [queue.wait() for _ in range(9)]
    assert queue.refuse(NO_ROOM)
    assert [waiter.done() for waiter in waiters] == [False] * 6 + [True] * 3
    assert not queue.needs_claim
    assert not queue.refuse(NO_ROOM), "who waits on is told once"
    late, since = queue.wait(), asyncio.get_running_loop().time()
    await asyncio.sleep(PATIENCE_SECONDS)
    later = queue.wait()
    queue.lose_patience(NO_ROOM, since)
    assert late.done()
    assert (queue.waiting, later.done()) == (1, False)
    assert queue.needs_claim


@pytest.mark.looptime
async def test_who_has_a_claim_under_way_waits_on() -> None:
    """Its pod may be nearly there, whatever became of others' claims."""
    queue = await busy_queue(calls=8, seconds=0.2)
    old, new = queue.wait(), queue.wait()
    queue.claims = 1
    assert queue.refuse(NO_ROOM)
    since = asyncio.get_running_loop().time()
    await asyncio.sleep(PATIENCE_SECONDS)
    late = queue.wait()
    queue.lose_patience(NO_ROOM, since)
    assert [waiter.done() for waiter in (old, new, late)] == [False, True, False]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("seconds", "refusal"),
    [(5.0, NO_ROOM), (0.1, ThrottledError("no", reason="R"))],
    ids=["calls that take long", "a limit"],
)
async def test_others_are_refused_at_once(seconds: float, refusal: ThrottledError) -> None:
    queue = await busy_queue(calls=20, seconds=seconds)
    waiter = queue.wait()
    assert not queue.refuse(refusal)
    with pytest.raises(ThrottledError):
        await waiter


async def test_a_full_queue_throttles_at_once() -> None:
    queue = RevisionQueue()
    for _ in range(LONGEST_QUEUE):
        queue.wait()
    with pytest.raises(ThrottledError):
        queue.wait()


async def test_nothing_becomes_free_once_retired() -> None:
    queue = RevisionQueue()
    idle, busy = make_environment(1), make_environment(2)
    queue.add(busy)
    queue.take()
    queue.add(idle)
    assert queue.retire() == [idle]
    assert not queue.give_back(busy)
    assert queue.empty


async def test_an_environment_that_came_too_late_is_not_lost() -> None:
    queue = RevisionQueue()
    waiter = queue.wait()
    environment = make_environment()
    queue.add(environment)
    assert queue.leave(waiter) is environment


class QueueMachine(RuleBasedStateMachine):
    """Any order of calls keeps: each environment in one place, nobody waits beside a free one."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.queue = self.loop.run_until_complete(self.make())
        self.busy: list[Environment] = []
        self.waiters: list[asyncio.Future[Environment]] = []
        self.made = 0

    @staticmethod
    async def make() -> RevisionQueue:
        return RevisionQueue()

    def teardown(self) -> None:
        self.loop.close()

    def within(self, act: object) -> object:
        async def run() -> object:
            return act() if callable(act) else act

        result = self.loop.run_until_complete(run())
        for waiter in [one for one in self.waiters if one.done()]:
            self.waiters.remove(waiter)
            self.busy.append(waiter.result())
        return result

    @rule()
    def invoke(self) -> None:
        environment = self.within(self.queue.take)
        if isinstance(environment, Environment):
            self.busy.append(environment)
        else:
            self.within(lambda: self.waiters.append(self.queue.wait()))

    @rule()
    def grant(self) -> None:
        self.made += 1
        self.within(lambda: self.queue.add(make_environment(self.made)))

    @precondition(lambda self: self.busy)
    @rule()
    def finish(self) -> None:
        environment = self.busy.pop(0)
        self.within(lambda: self.queue.give_back(environment))

    @precondition(lambda self: self.busy)
    @rule()
    def crash(self) -> None:
        environment = self.busy.pop()
        environment.ended = True
        assert self.within(lambda: self.queue.give_back(environment)) is False

    @precondition(lambda self: self.waiters)
    @rule()
    def give_up(self) -> None:
        waiter = self.waiters.pop()
        self.within(lambda: self.queue.leave(waiter))

    @invariant()
    def each_environment_is_in_one_place(self) -> None:
        free = list(self.queue.free)
        assert len({id(one) for one in free + self.busy}) == len(free) + len(self.busy)
        assert self.queue.busy == len(self.busy)
        assert self.queue.waiting == len(self.waiters)

    @invariant()
    def nobody_waits_beside_a_free_one(self) -> None:
        assert not (self.queue.free and self.waiters)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
