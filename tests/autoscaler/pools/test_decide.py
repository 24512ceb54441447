"""How many generic pods wait: timed tables, and what holds for every observation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_autoscaler.pools.decide import (
    ClaimRate,
    PoolDecision,
    PoolObserved,
    PoolSpec,
    decide,
    quantile,
)

SPEC = PoolSpec(minimum=2, maximum=10, idle_seconds=3600)


def observe(
    *, ready: int = 0, starting: int = 0, rate: float = 0.0, refill: float = 3.0,
    interest: float | None = 0.0,
) -> PoolObserved:  # fmt: skip
    return PoolObserved(ready, starting, rate, refill, interest)


@pytest.mark.parametrize(
    ("now", "observed", "decision", "why"),
    [
        (0, observe(), PoolDecision(start=2), "the minimum, as soon as somebody is interested"),
        (0, observe(interest=None), PoolDecision(), "no data is no interest"),
        (1, observe(ready=1, starting=1), PoolDecision(), "what starts counts"),
        (1, observe(ready=2, rate=1.0), PoolDecision(start=6), "3 expected, 8 cover 99 %"),
        (1, observe(ready=2, rate=100.0), PoolDecision(start=8), "never above the maximum"),
        (9, observe(ready=3), PoolDecision(), "one too many may stay"),
        (9, observe(ready=9), PoolDecision(stop=6), "the rest goes"),
        (1, observe(ready=11, rate=100.0), PoolDecision(stop=1), "the maximum is one"),
        (9, observe(ready=9, starting=2), PoolDecision(stop=6), "what starts cannot be stopped"),
        (3599, observe(ready=2), PoolDecision(), "still within the hour"),
        (3600, observe(ready=2), PoolDecision(stop=2), "nothing called: to zero"),
    ],
)
def test_decisions(now: float, observed: PoolObserved, decision: PoolDecision, why: str) -> None:
    assert decide(now, observed, SPEC) == decision, why


@given(
    ready=st.integers(0, 50), starting=st.integers(0, 50), rate=st.floats(0, 1000),
    refill=st.floats(0.01, 60), since=st.floats(0, 10_000),
)  # fmt: skip
def test_decisions_stay_within_bounds(
    ready: int, starting: int, rate: float, refill: float, since: float
) -> None:
    observed = PoolObserved(ready, starting, rate, refill, 0.0)
    decision = decide(since, observed, SPEC)
    assert decision.start >= 0
    assert 0 <= decision.stop <= ready
    assert ready - decision.stop <= SPEC.maximum
    assert not (decision.start and decision.stop)
    assert ready + starting + decision.start <= max(SPEC.maximum, ready + starting)
    if decision.stop:
        after = PoolObserved(ready - decision.stop, starting, rate, refill, 0.0)
        assert decide(since, after, SPEC).start == 0, "stopping must not cause a start"


@given(st.floats(0, 500), st.floats(0, 500))
def test_more_claims_never_need_fewer_pods(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert quantile(low) <= quantile(high)


@pytest.mark.parametrize(
    ("mean", "count"), [(0, 0), (0.01, 0), (0.02, 1), (1, 4), (3, 8), (10, 18), (100, 124)]
)
def test_quantiles_are_those_of_the_poisson_distribution(mean: float, count: int) -> None:
    assert quantile(mean) == count


def test_a_rate_rises_and_decays() -> None:
    rate = ClaimRate()
    assert rate.at(5.0) == 0.0
    for second in range(600):
        rate.add(float(second))
    assert rate.at(599.0) == pytest.approx(1.0, rel=0.02)
    assert rate.at(599.0 + 600) < 0.001
