"""Knative's autoscaler decides as its rules say, and plays a trace as they would."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulator.knative import Knative
from benchmarks.simulator.kpa import Concurrency, Observed, Panic, Spec, decide
from benchmarks.simulator.pool import Timing
from benchmarks.simulator.trace import APPS, Profile, generate

SPEC = Spec()
DAY = 86_400.0
HOURLY = Profile("go", 24, 0.0, 1.0, 1.001, 1024.0, timer=True, seed=1)
LEVELS = st.floats(0, 100)


@pytest.mark.parametrize(
    ("observed", "panic", "wanted", "panics", "why"),
    [
        (Observed(0.0, 0.0, 1), None, 0, False, "nothing runs"),
        (Observed(0.01, 0.0, 1), None, 1, False, "something ran within the minute"),
        (Observed(0.7, 0.7, 1), None, 1, False, "just the target"),
        (Observed(0.71, 0.71, 1), None, 2, True, "two wanted, one ready: 200 %"),
        (Observed(1.0, 1.0, 0), None, 2, True, "from zero: one call at once is over the target"),
        (Observed(1.0, 2.0, 2), None, 2, False, "three wanted, two ready: 150 %"),
        (Observed(1.0, 3.5, 2), None, 5, True, "the panic window counts in panic"),
        (Observed(0.0, 0.0, 8), None, 4, False, "by half at a tick"),
        (Observed(0.0, 0.0, 8), Panic(70.0, 8), 8, True, "no fewer in panic"),
        (Observed(0.0, 0.0, 8), Panic(39.0, 8), 4, False, "a stable window after the surge"),
    ],
)
def test_decisions(
    observed: Observed, panic: Panic | None, wanted: int, *, panics: bool, why: str
) -> None:
    pods, after = decide(100.0, observed, panic, SPEC)
    assert (pods, after is not None) == (wanted, panics), why


@given(LEVELS, LEVELS, st.integers(0, 50), st.integers(1, 50))
def test_panic_never_shrinks(stable: float, panicky: float, ready: int, pods: int) -> None:
    observed = Observed(stable, panicky, ready)
    calm, _ = decide(100.0, observed, None, SPEC)
    wanted, panic = decide(100.0, observed, Panic(99.0, pods), SPEC)
    assert panic is not None
    assert wanted >= max(pods, calm)


@given(LEVELS, LEVELS, LEVELS, st.integers(1, 50))
def test_more_calls_want_no_fewer_pods(
    stable: float, panicky: float, more: float, ready: int
) -> None:
    few, _ = decide(0.0, Observed(stable, panicky, ready), None, SPEC)
    many, _ = decide(0.0, Observed(stable + more, panicky + more, ready), None, SPEC)
    assert few <= many


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), max_size=20), st.floats(0, 70))
def test_the_mean_is_that_of_the_levels(calls: list[tuple[float, float]], later: float) -> None:
    """Calls one after another; none so late that the window begins anew."""
    seen, now, spans = Concurrency(60.0), 0.0, []
    for gap, length in calls:
        seen.change(now + gap, 1)
        seen.change(now + gap + length, -1)
        spans.append((now + gap, now + gap + length))
        now += gap + length
    now = max(now + later, 1.0)
    for window in (6.0, 60.0):
        since = now - min(window, now)
        busy = sum(max(0.0, end - max(begin, since)) for begin, end in spans)
        assert seen.mean(now, window) == pytest.approx(busy / (now - since), abs=1e-6)


def test_after_a_quiet_window_the_mean_begins_anew() -> None:
    seen = Concurrency(60.0)
    seen.change(100.0, 1)
    assert seen.mean(100.0, 60.0) == 1.0
    assert seen.mean(110.0, 60.0) == 1.0


def test_an_hourly_call_finds_nobody_and_waits_for_a_pod() -> None:
    outcome = Knative(Timing()).run([HOURLY], seconds=DAY)
    assert outcome.waits == pytest.approx([3.05] * 24), "decided at once, as there were no pods"
    # One pod for the minute and the grace; one for the panic, of which it is relieved earlier.
    assert 24 * 90 <= outcome.wasted_gigabyte_seconds <= 24 * 2 * 96


def test_a_call_a_minute_keeps_a_pod() -> None:
    outcome = Knative(Timing()).run([replace(HOURLY, calls_per_day=1440)], seconds=DAY / 24)
    assert len(outcome.waits) == 1


def test_calls_at_once_get_a_pod_each_within_the_panic_window() -> None:
    crowd = [replace(HOURLY, mean_seconds=60.0, longest_seconds=60.1, calls_per_day=17_280)]
    outcome = Knative(Timing()).run(crowd, seconds=600)
    assert max(outcome.waits) < SPEC.panic_seconds + SPEC.tick_seconds + 3.05
    assert sum(outcome.starts.values()) >= math.ceil(60 / 5 / SPEC.target)


def test_every_call_is_counted_once() -> None:
    profiles = generate(APPS, 40, seed=5)
    expected = sum(len(list(one.calls(seconds=DAY / 4, most_per_day=1440))) for one in profiles)
    outcome = Knative(Timing()).run(profiles, seconds=DAY / 4, most_per_day=1440)
    assert expected - 5 <= outcome.calls <= expected, "but for those that still wait at the end"
