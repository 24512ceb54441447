"""Capacity for events follows how long they take: a function in virtual time, with a backlog."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilotlight_gateway.event_queue.interface import FunctionKey
from pilotlight_gateway.events.concurrency import (
    DRAIN_SECONDS,
    MOST_FUNCTIONS,
    RATE,
    START,
    Concurrencies,
    Concurrency,
)

MOST = 64
LOOK_SECONDS = 0.05
LONGEST_SECONDS = 3600.0


Agenda = list[tuple[float, int, str, float]]
"""When something happens, a number, the event that ends, or none where a pod comes, and how long
it took."""


@dataclass
class Function:
    """Events of a function that come all at once, and environments that take time to be there."""

    seconds: float
    backlog: int
    cold_seconds: float = 0.2
    pods_per_second: float = math.inf
    processors: float = math.inf
    """That they keep busy: where more run at once, all take longer."""
    concurrency: Concurrency = field(default_factory=lambda: Concurrency(MOST))
    environments: int = 0
    most_wanted: int = 0
    """Environments that were asked for at once, at the most."""
    _free: int = 0
    _waiting: list[str] = field(default_factory=list)
    _asked: int = 0
    _running: int = 0
    _next_pod: float = 0.0

    def drain(self, *, since: float = 0.0) -> float:
        """Run until nothing is left; returns how many seconds that took."""
        agenda: Agenda = []
        numbers = itertools.count()
        left, done, now = self.backlog, 0, since
        while done < self.backlog and now - since < LONGEST_SECONDS:
            for _ in range(min(left, self.concurrency.room(now))):
                left -= 1
                event = f"event-{left}"
                self.concurrency.leased(now, waited=now - since)
                self._waiting.append(event)
            self._serve(now, agenda, numbers)
            self._ask(now, agenda, numbers)
            if left and self.concurrency.room(now):
                continue
            rises = self.concurrency.rises_at(now) if left else math.inf
            if not agenda or rises < agenda[0][0]:
                now = max(rises, now + LOOK_SECONDS)
                continue
            now, _, event, took = heapq.heappop(agenda)
            self._free += 1
            if not event:  # a pod has come
                self.environments += 1
            else:
                done += 1
                self._running -= 1
                self.concurrency.ended(event, took, now)
        return now - since

    def _serve(self, now: float, agenda: Agenda, numbers: itertools.count[int]) -> None:
        while self._free and self._waiting:
            self._free -= 1
            event = self._waiting.pop(0)
            self.concurrency.began(event, now)
            self._running += 1
            took = self.seconds * max(1.0, self._running / self.processors)
            heapq.heappush(agenda, (now + took, next(numbers), event, took))

    def _ask(self, now: float, agenda: Agenda, numbers: itertools.count[int]) -> None:
        coming = self._asked - self.environments
        for _ in range(len(self._waiting) - coming):
            self._asked += 1
            self._next_pod = max(self._next_pod, now) + 1 / self.pods_per_second
            heapq.heappush(agenda, (self._next_pod + self.cold_seconds, next(numbers), "", 0.0))
        self.most_wanted = max(self.most_wanted, self._asked)
        assert self._asked <= max(START, 2 * self.environments)


def drained(function: Function) -> Concurrency:
    """Return what is known of a function once its backlog is done."""
    function.drain()
    return function.concurrency


def test_a_backlog_of_short_events_gets_a_few_environments() -> None:
    """562 events of ten milliseconds made 128 pods once; now four at most, and soon are done."""
    function = Function(seconds=0.01, backlog=562, cold_seconds=3.0)
    assert function.drain() < 10
    assert function.environments <= 4


def test_pods_that_do_not_come_are_not_asked_for_again_and_again() -> None:
    """Where a pod takes half a minute, the wait of events is no reason to ask for more of them."""
    for known in (Concurrency(MOST), drained(Function(seconds=0.01, backlog=9))):
        function = Function(0.01, 562, 30.0, pods_per_second=0.2, concurrency=known)
        assert function.drain() < 60
        assert function.environments <= 2 * START


def test_a_long_backlog_of_short_events_gets_more_by_steps() -> None:
    """100,000 events need more than a few: the rate doubles again and again until all may run."""
    function = Function(seconds=0.01, backlog=100_000)
    assert function.drain() < 100_000 * 0.01 / MOST + 15
    assert function.environments > 40


def test_a_full_node_gets_no_more_than_it_can_run() -> None:
    """Two processors: more at once take longer and do no more, and their pods are a load, too."""
    function = Function(seconds=0.015, backlog=50_000, cold_seconds=3.0, processors=2)
    assert function.drain() < 1.1 * 50_000 * 0.015 / 2
    assert function.environments <= 8


def test_what_is_crowded_by_others_asks_for_no_more_because_it_is_slow() -> None:
    """What it takes without them is known."""
    known = drained(Function(seconds=0.015, backlog=500))
    function = Function(seconds=0.3, backlog=200, concurrency=known, processors=1)
    function.drain(since=60.0)
    assert function.environments <= 8


@pytest.mark.parametrize("seconds", [3.0, 60.0])
def test_slow_events_are_not_limited(seconds: float) -> None:
    """All run beside each other after a few rounds of starts, though none has ended yet."""
    function = Function(seconds=seconds, backlog=MOST)
    ideal = seconds + 0.2
    assert function.drain() <= 1.1 * ideal + 3.0
    if seconds > 10:
        assert function.environments == MOST


def test_the_next_backlog_of_a_slow_function_rises_at_once() -> None:
    """How long its events take is known; only environments are still to come."""
    known = drained(Function(seconds=10.0, backlog=MOST))
    again = Function(seconds=10.0, backlog=MOST, concurrency=known)
    assert again.drain(since=60.0) < 12.0


def test_the_rate_returns_when_events_wait_no_longer() -> None:
    concurrency = drained(Function(seconds=0.01, backlog=50_000))
    for second in range(100, 110):
        concurrency.leased(second, waited=0.0)
        concurrency.began("one", second)
        concurrency.ended("one", 0.01, second)
    again = Function(seconds=0.01, backlog=562, concurrency=concurrency)
    again.drain(since=120.0)
    assert again.environments <= 4


def test_functions_that_nobody_asks_for_are_forgotten() -> None:
    concurrencies = Concurrencies(MOST)
    first = concurrencies.of(FunctionKey("default", "first"))
    for number in range(MOST_FUNCTIONS):
        concurrencies.of(FunctionKey("default", str(number)))
    assert concurrencies.of(FunctionKey("default", "first")) is not first


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["lease", "begin", "end", "drop"]),
        st.floats(0.0, 5.0),
        st.floats(0.0, 900.0),
    ),
    max_size=60,
)


@given(operations=OPERATIONS, most=st.integers(1, 100))
def test_the_limit_stays_within_bounds_whatever_happens(
    operations: list[tuple[str, float, float]], most: int
) -> None:
    """At least one and `START`, at most `most`; what is held is what came and did not leave."""
    concurrency, now, names = Concurrency(most), 0.0, itertools.count()
    leased: list[str] = []
    for what, later, seconds in operations:
        now += later
        if what == "lease" and concurrency.room(now):
            concurrency.leased(now, waited=seconds)
            leased.append(str(next(names)))
        elif what == "begin" and leased:
            concurrency.began(leased[-1], now)
        elif what in {"end", "drop"} and leased:
            concurrency.ended(leased.pop(0), seconds if what == "end" else None, now)
        assert concurrency.holding == len(leased)
        assert min(most, START) <= concurrency.limit(now) <= most


@given(
    seconds=st.floats(0.001, 60.0),
    backlog=st.integers(1, 400),
    cold_seconds=st.floats(0.05, 20.0),
    pods_per_second=st.floats(0.3, 50.0),
)
@example(seconds=0.015625, backlog=4, cold_seconds=2.0, pods_per_second=32.0)
@example(seconds=0.02, backlog=100, cold_seconds=9.0, pods_per_second=5.0)
def test_environments_follow_littles_law(
    seconds: float, backlog: int, cold_seconds: float, pods_per_second: float
) -> None:
    """Everything is drained, by no more environments than the events, and few where one suffices.

    One environment suffices where it would drain the backlog within the time that events may wait.
    """
    function = Function(seconds, backlog, cold_seconds, pods_per_second)
    end = function.drain()
    assert end < LONGEST_SECONDS
    assert function.most_wanted <= min(backlog, MOST)
    if backlog * seconds <= DRAIN_SECONDS and seconds * RATE <= START:
        assert function.most_wanted <= START
