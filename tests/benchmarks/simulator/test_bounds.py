"""The bounds bound: they are right where they can be counted, and no policy passes them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulator.bounds import PRICES, Bounds, Frontier, best_window, bounds
from benchmarks.simulator.trace import Profile

DAY = 86_400.0
CLOCK = Profile("go", 24, 0.0, 0.001, 0.0011, 1024.0, timer=True, seed=1)
IDLE_TIMES = st.lists(st.floats(0.1, 1e5), min_size=1, max_size=40)


def bound(*profiles: Profile, days: float = 2.0, cold: float = 0.5) -> Bounds:
    return bounds(
        list(profiles), seconds=days * DAY, counted_from=DAY, most_per_day=1440, cold=cold
    )


def test_a_clock_needs_no_waiting() -> None:
    assert Frontier.of([3600.0] * 50).seconds(0.0) == 0.0
    assert bound(CLOCK).gigabyte_seconds == pytest.approx(0.0, abs=1.0)


def test_of_two_idle_times_the_near_one_is_cheaper() -> None:
    frontier = Frontier.of([100.0, 1000.0])
    # Being there at 100 s costs nothing, at 1,000 s nothing either: but not both in one stretch.
    assert frontier.seconds(0.5) == 0.0
    assert frontier.seconds(0.0) == pytest.approx(900 / 2)
    assert frontier.seconds(0.25) == pytest.approx(900 / 4)


@given(IDLE_TIMES, st.floats(0, 1), st.floats(0, 1))
def test_fewer_cold_starts_take_no_less(times: list[float], one: float, other: float) -> None:
    frontier = Frontier.of(times)
    few, many = sorted((one, other))
    assert frontier.seconds(few) >= frontier.seconds(many) - 1e-6
    assert frontier.seconds(1.0) == 0.0


@given(IDLE_TIMES, st.floats(0, 1e5), st.floats(0, 1e5), st.sampled_from(PRICES))
def test_no_window_does_better_at_its_price(
    times: list[float], one: float, other: float, price: float
) -> None:
    since, until = sorted((one, other))
    waited = sum(max(0.0, min(time, until) - since) for time in times) / len(times)
    cold = 1 - sum(since <= time <= until for time in times) / len(times)
    seconds, missed = best_window(sorted(times), price)
    assert seconds + price * missed <= (waited + price * cold) * (1 + 1e-6) + 1e-6


def test_only_a_first_call_surprises_who_knows_the_next() -> None:
    assert bound(CLOCK).clairvoyant == 0.0
    # Every other day: whoever is called on the second day was not on the first.
    assert bound(*[replace(CLOCK, calls_per_day=0.51, seed=seed) for seed in range(9)]) == Bounds(
        clairvoyant=1.0, unheard=1.0, gigabyte_seconds=0.0
    )


def test_nobody_has_heard_of_a_function_before_it_idled_once() -> None:
    assert bound(CLOCK).unheard == 0.0
    assert bound(CLOCK, days=3).unheard == 0.0
    assert bound(replace(CLOCK, calls_per_day=1.01), days=2).unheard == 1.0
