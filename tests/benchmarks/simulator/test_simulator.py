"""The simulation counts what can be counted by hand, and one seed gives one result."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.simulator.outcome import Outcome, percentile
from benchmarks.simulator.policies import CLAIRVOYANT, FIXED, GREEDY_DUAL, HYBRID, LRU, Policy
from benchmarks.simulator.pool import Timing
from benchmarks.simulator.simulation import Cluster, Simulation
from benchmarks.simulator.trace import APPS, Profile, generate

DAY = 86_400.0
HOURLY = Profile("go", 24, 0.0, 1.0, 1.001, 1024.0, timer=True, seed=1)
BARE = Timing(generic_megabytes=0.0)
"""Pools that cost nothing, where environments are counted."""


def play(
    policy: Policy, profiles: list[Profile], *, days: float = 1.0, cluster: Cluster | None = None,
    counted_from: float = 0.0,
) -> Outcome:  # fmt: skip
    simulation = Simulation(policy, cluster or Cluster(), BARE, counted_from=counted_from)
    return simulation.run(profiles, seconds=days * DAY, most_per_day=1440)


def test_ten_minutes_never_meet_an_hourly_call() -> None:
    outcome = play(FIXED, [HOURLY])
    assert (outcome.calls, outcome.cold_rate) == (24, 1.0)
    assert outcome.wasted_gigabyte_seconds == pytest.approx(24 * 600, rel=0.05)


def test_the_histogram_pre_warms_for_an_hourly_call() -> None:
    outcome = play(HYBRID, [HOURLY], days=2, counted_from=DAY)
    assert (outcome.calls, outcome.cold_rate) == (24, 0.0)
    # Warm again after nine tenths of 59 minutes.
    assert outcome.wasted_gigabyte_seconds == pytest.approx(24 * (3599 - 0.9 * 59 * 60), rel=0.1)


def test_a_daily_call_is_expected_once_it_was_seen_twice() -> None:
    daily = replace(HOURLY, calls_per_day=1)
    outcome = play(HYBRID, [daily], days=6)
    assert (outcome.calls, outcome.cold_rate) == (6, 2 / 6)


def test_a_pool_answers_once_it_is_there() -> None:
    seldom = replace(HOURLY, calls_per_day=12)
    assert play(FIXED, [seldom]).waits == pytest.approx([3.05] * 12), "idle for an hour: no pool"
    often = replace(HOURLY, calls_per_day=96)
    assert play(FIXED, [often]).waits[1:] == pytest.approx([0.063] * 95)


def test_memory_is_never_exceeded_and_calls_wait_for_it() -> None:
    long = replace(HOURLY, calls_per_day=1440, mean_seconds=120.0, longest_seconds=120.1)
    outcome = play(FIXED, [long], days=0.1, cluster=Cluster(1, 1024.0))
    assert outcome.most_starts == 1
    assert max(outcome.waits) > 1000, "two minutes each, one a minute, one at a time"
    assert len(outcome.waits) == outcome.calls


@pytest.mark.parametrize(
    "policy", [FIXED, HYBRID, LRU, GREEDY_DUAL, CLAIRVOYANT], ids=lambda one: one.name
)
def test_one_seed_one_outcome(policy: Policy) -> None:
    profiles = generate(APPS, 30, seed=4)
    small = Cluster(1, 3000.0)
    one, other = (play(policy, profiles, days=0.5, cluster=small) for _ in range(2))
    assert one == other
    assert one.calls > 1000


def test_every_call_is_counted_once_whatever_the_policy() -> None:
    profiles = generate(APPS, 40, seed=5)
    expected = sum(len(list(one.calls(seconds=DAY / 4, most_per_day=1440))) for one in profiles)
    for policy in (FIXED, HYBRID, LRU):
        assert play(policy, profiles, days=0.25).calls == expected


def test_the_histogram_meets_more_calls_than_ten_minutes_do() -> None:
    profiles = generate(APPS, 40, seed=6)
    fixed, ours = (play(policy, profiles, days=2, counted_from=DAY) for policy in (FIXED, HYBRID))
    assert ours.cold_rate_at(0.75) < fixed.cold_rate_at(0.75)


def test_percentiles() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.75, 0.99, 1.0)] == [
        1, 50, 75, 99, 100,
    ]  # fmt: skip
    assert percentile([], 0.5) == 0.0
