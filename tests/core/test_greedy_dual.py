"""Who goes first when memory is short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.greedy_dual import Candidate, GreedyDual

PLAIN = Candidate(uses=2, cold_seconds=0.1, megabytes=100.0)


@pytest.mark.parametrize(
    ("better", "why"),
    [
        (Candidate(3, 0.1, 100.0), "used more often"),
        (Candidate(2, 0.2, 100.0), "slower to start"),
        (Candidate(2, 0.1, 50.0), "smaller"),
    ],
)
def test_what_stays_longer(better: Candidate, why: str) -> None:
    order = GreedyDual()
    assert order.priority(better) > order.priority(PLAIN), why


def test_what_was_popular_once_ages() -> None:
    order = GreedyDual()
    popular = order.priority(Candidate(10, 0.1, 100.0))
    evictions = 0
    while (newcomer := order.priority(PLAIN)) <= popular:
        order.evicted(newcomer)
        evictions += 1
    assert evictions == 5, "10 uses against 2: the fifth newcomer's eviction makes them equal"


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_clock_never_goes_back(priorities: list[float]) -> None:
    order = GreedyDual()
    for priority in priorities:
        before = order.clock
        order.evicted(priority)
        assert order.clock >= before
    assert order.clock == max(priorities)
