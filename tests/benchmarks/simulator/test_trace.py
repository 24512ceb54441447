"""The trace has the published distributions, and the gaps that it draws have their moments."""

from __future__ import annotations

import itertools
import random
import statistics

import pytest

from benchmarks.simulator.arrivals import RHYTHM, moments
from benchmarks.simulator.distributions import distance
from benchmarks.simulator.trace import APPS, FUNCTIONS, Population, Profile, generate

COUNT = 10_000
BOUND = 0.02
"""1.36 / sqrt(10,000) = 0.0136 is chance's 95 % bound; half as much again for the runs below it."""


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    return generate(FUNCTIONS, COUNT, seed=7)


@pytest.mark.parametrize("population", [FUNCTIONS, APPS], ids=lambda one: one.name)
def test_calls_per_day(population: Population) -> None:
    rates = [profile.calls_per_day for profile in generate(population, COUNT, seed=3)]
    # Points where no calls begin (0.1) say where interpolation starts, not what was published.
    assert distance(rates, population.calls_per_day.points[1:]) <= BOUND


def test_popularity(profiles: list[Profile]) -> None:
    rates = sorted((profile.calls_per_day for profile in profiles), reverse=True)
    shares = [sum(rates[: COUNT // part]) / sum(rates) for part in (1000, 100, 10)]
    assert shares == pytest.approx([0.67, 0.92, 0.995], abs=0.05)


@pytest.mark.parametrize(
    ("timer", "points"),
    [
        (False, ((0, 0.11), (1, 0.35), (2, 0.54), (4, 0.75), (6, 0.84), (10, 0.92))),
        (True, ((0, 0.5), (1, 0.93))),
    ],
)
def test_variation(
    profiles: list[Profile], *, timer: bool, points: tuple[tuple[float, float], ...]
) -> None:
    drawn = [profile.variation for profile in profiles if profile.timer is timer]
    # There are fewer timers: 1.36 / sqrt(1,600) = 0.034.
    assert distance(drawn, points) <= (0.04 if timer else BOUND)


def test_a_sixth_are_timers_and_stand_at_the_steps(profiles: list[Profile]) -> None:
    timers = [profile for profile in profiles if profile.timer]
    assert len(timers) / COUNT == pytest.approx(0.16, abs=BOUND)
    assert {profile.calls_per_day for profile in timers} == {24, 48, 96, 288, 1440}


def test_durations(profiles: list[Profile]) -> None:
    mean = [profile.mean_seconds for profile in profiles]
    assert distance(mean, ((0.1, 0.15), (1, 0.52), (10, 0.84), (60, 0.96))) <= BOUND
    longest = [profile.longest_seconds for profile in profiles]
    assert distance(longest, ((1, 0.27), (10, 0.67), (60, 0.89))) <= BOUND
    assert all(profile.mean_seconds < profile.longest_seconds for profile in profiles)


def test_memory(profiles: list[Profile]) -> None:
    # The fitted distribution is itself 5 points off the figure at its 90th percentile.
    assert distance([one.megabytes for one in profiles], ((142, 0.5), (225, 0.9))) <= 0.05 + BOUND


def test_calls_last_as_their_profile_says() -> None:
    profile = Profile("go", 86_400, 1.0, 2.0, 8.0, 128.0, timer=False, seed=5)
    seconds = [call.seconds for call in profile.calls(seconds=86_400)]
    assert statistics.fmean(seconds) == pytest.approx(2.0, rel=0.03)
    assert 7.9 < max(seconds) <= 8.0


@pytest.mark.parametrize("variation", [0.0, 0.3, 1.0, 1.5, 4.0])
def test_gaps_have_their_mean_and_variation(variation: float) -> None:
    times = moments(random.Random(11), 600.0, variation, timer=True)
    gaps = [
        later - earlier for earlier, later in itertools.pairwise(itertools.islice(times, 60_000))
    ]
    mean = statistics.fmean(gaps)
    assert mean == pytest.approx(600.0, rel=0.08)
    assert statistics.pstdev(gaps) / mean == pytest.approx(variation, rel=0.08, abs=0.001)


def test_a_week_has_its_rhythm() -> None:
    assert statistics.fmean(RHYTHM) == pytest.approx(1.0)
    assert min(RHYTHM) >= 0.8
    assert max(RHYTHM) <= 1.2
    assert sum(RHYTHM[5 * 24 :]) / 48 < sum(RHYTHM[: 5 * 24]) / 120
    week = 7 * 86_400.0
    times = moments(random.Random(2), 20.0, 1.0, timer=False)
    hours = [0] * len(RHYTHM)
    for moment in itertools.takewhile(lambda at: at < week, times):
        hours[int(moment / 3600)] += 1
    mean = sum(hours) / len(hours)
    # An hour has about 180 calls: three of their standard deviations are 0.22 of the mean.
    off = [abs(seen / mean - level) for seen, level in zip(hours, RHYTHM, strict=True)]
    assert statistics.fmean(off) < 0.08


def test_one_seed_one_trace(profiles: list[Profile]) -> None:
    assert generate(FUNCTIONS, COUNT, seed=7) == profiles
    assert generate(FUNCTIONS, COUNT, seed=8) != profiles
    busy = next(one for one in profiles if one.calls_per_day > 1000)
    assert list(busy.calls(seconds=9000)) == list(busy.calls(seconds=9000))
