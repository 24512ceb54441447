"""How long an idle environment waits: a table, and what holds for every history."""

from __future__ import annotations

import json
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.keep_alive import BINS, IdleTimes, KeepAlive, KeepAliveSpec, decide

SPEC = KeepAliveSpec()
FIXED = KeepAlive(0.0, 600.0)
SECONDS = st.floats(0, 2 * BINS * 60)
TIMES = st.lists(SECONDS, max_size=60)


def idle(*minutes: float) -> IdleTimes:
    history = IdleTimes()
    for minute in minutes:
        history.add(minute * 60)
    return history


def spread(each: int) -> IdleTimes:
    return IdleTimes([each] * BINS)


@pytest.mark.parametrize(
    ("history", "decision", "why"),
    [
        (None, FIXED, "nothing is known: no data is not zero"),
        (idle(), FIXED, "a function that was never idle"),
        (idle(*[60.5] * 9), FIXED, "nine idle times are too few"),
        (idle(*[60.5] * 10), KeepAlive(3240.0, 786.0), "hourly: back at 54 min, until 67.1"),
        (idle(*[0.5] * 10), KeepAlive(0.0, 66.0), "within a minute: a minute, and the margin"),
        (idle(*[0.5] * 98, 30.5, 30.5), KeepAlive(0.0, 2046.0), "2 % are within the 99th"),
        (idle(*[0.5] * 199, 30.5), KeepAlive(0.0, 66.0), "0.5 % are not"),
        (spread(5), FIXED, "flat: every minute as likely as another"),
        (idle(*[5.5] * 10, *[300.0] * 11), FIXED, "most are out of range"),
        (idle(*[5.5] * 10, *[300.0] * 10), KeepAlive(270.0, 126.0), "half is not most"),
    ],
)
def test_decisions(history: IdleTimes | None, decision: KeepAlive, why: str) -> None:
    given_ = decide(history, SPEC)
    expected = (decision.prewarm_after, decision.keep_for)
    assert (given_.prewarm_after, given_.keep_for) == pytest.approx(expected), why


def test_an_environment_among_others_is_not_what_the_next_call_needs() -> None:
    assert decide(idle(*[60.5] * 10), SPEC, others=1) == KeepAlive(0.0, SPEC.extra_seconds)


def test_no_pre_warming_when_a_start_takes_longer() -> None:
    slow = KeepAliveSpec(refill_seconds=300.0)
    assert decide(idle(*[5.5] * 10), slow).prewarm_after == 0.0


@given(TIMES)
def test_waits_are_never_negative_and_cover_what_was_seen(times: list[float]) -> None:
    history = idle(*(time / 60 for time in times))
    decision = decide(history, SPEC)
    assert decision.prewarm_after >= 0
    assert decision.keep_for > 0
    assert decision.prewarm_after + decision.keep_for <= BINS * 60 * (1 + SPEC.margin)
    if decision != FIXED:
        end = decision.prewarm_after + decision.keep_for
        within = [time for time in times if time < BINS * 60]
        met = [time for time in within if decision.prewarm_after <= time <= end]
        assert len(met) >= math.floor(0.94 * len(within))


@given(TIMES, st.floats(0, 1), st.floats(0, 1))
def test_percentiles_rise(times: list[float], one: float, other: float) -> None:
    history = idle(1.0, *(time / 60 for time in times))
    low, high = sorted((one, other))
    assert history.percentiles(0.0, low)[1] <= history.percentiles(0.0, high)[1]
    first, last = history.percentiles(low, high)
    assert first < last


@given(TIMES, TIMES)
def test_merging_is_seeing_both(one: list[float], other: list[float]) -> None:
    merged = idle(*(time / 60 for time in one)).merged(idle(*(time / 60 for time in other)))
    assert merged == idle(*(time / 60 for time in one + other))


@given(TIMES)
def test_json_and_back(times: list[float]) -> None:
    history = idle(*(time / 60 for time in times))
    assert IdleTimes.from_json(json.loads(json.dumps(history.to_json()))) == history


@given(TIMES)
def test_the_variation_is_that_of_the_counts(times: list[float]) -> None:
    history = idle(1.0, *(time / 60 for time in times))
    expected = statistics.pstdev(history.bins) / statistics.fmean(history.bins)
    assert history.variation() == pytest.approx(expected)


@pytest.mark.parametrize(
    "document",
    [
        {"bins": {"240": 1}, "beyond": 0},
        {"bins": {"-1": 1}, "beyond": 0},
        {"bins": {"0": -1}, "beyond": 0},
        {"bins": {}, "beyond": -1},
    ],
)
def test_wrong_histograms_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"histogram|bin"):
        IdleTimes.from_json(document)


def test_a_negative_idle_time_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        IdleTimes().add(-0.1)
