"""How long an idle environment waits: a table, and what holds for every history."""

from __future__ import annotations

import sys
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight.keep_alive import BIN_SECONDS, BINS, IdleTimes, KeepAlive, KeepAliveSpec, decide

SPEC = KeepAliveSpec()
FIXED = KeepAlive(0.0, 600.0)
HOPELESS = KeepAlive(0.0, 60.0)
RANGE = BINS * BIN_SECONDS
TIMES = st.lists(st.floats(0, 2 * RANGE), max_size=60)
BEYOND = st.lists(st.floats(RANGE, 48 * 3600), min_size=1, max_size=9)
WORTHS = st.floats(0, 1e5)


def idle(*minutes: float) -> IdleTimes:
    history = IdleTimes()
    for minute in minutes:
        history.add(minute * 60)
    return history


def of_seconds(times: list[float]) -> IdleTimes:
    return idle(*(time / 60 for time in times))


def gain(history: IdleTimes, worth: float, since: int, until: int) -> float:
    """What waiting from one bin to another would have brought, bin by bin."""
    total = 0.0
    for index in range(since, until):
        met = history.bins[index]
        idles_on = history.count - sum(history.bins[:index])
        total += met * worth - (idles_on - met / 2) * BIN_SECONDS
    return total


@pytest.mark.parametrize(
    ("history", "decision", "why"),
    [
        (None, FIXED, "nothing is known: no data is not zero"),
        (idle(), FIXED, "a function that was never idle"),
        (idle(*[60.5] * 9), FIXED, "nine idle times are too few"),
        (idle(*[60.5] * 10), KeepAlive(3240.0, 786.0), "hourly: back at 54 min, until 67.1"),
        (idle(*[0.5] * 10), KeepAlive(0.0, 66.0), "within a minute: a minute, and the margin"),
        (idle(*[0.5] * 98, 10.5, 10.5), KeepAlive(0.0, 726.0), "ten minutes for two calls: worth"),
        (idle(*[0.5] * 98, 59.5, 59.5), KeepAlive(0.0, 66.0), "59 minutes for them: not"),
        (idle(*[0.5] * 5, *[59.5] * 5), KeepAlive(3186.0, 774.0), "the far ones: they idle longer"),
        (idle(*[5.5] * 10, *[300.0] * 10), KeepAlive(270.0, 126.0), "half is not most"),
        (idle(*[5.5] * 10, *[300.0] * 11), KeepAlive(16200.0, 3600.0), "most are out of range"),
        (idle(1440), KeepAlive(77760.0, 17280.0), "once a day: from 21.6 hours to 26.4"),
        (idle(300, 2000), HOPELESS, "one like the other: no day has them both"),
        (idle(300, *[2000] * 4), KeepAlive(108000.0, 24000.0), "it changed: four are remembered"),
    ],
)
def test_decisions(history: IdleTimes | None, decision: KeepAlive, why: str) -> None:
    given_ = decide(history, SPEC)
    expected = (decision.prewarm_after, decision.keep_for)
    assert (given_.prewarm_after, given_.keep_for) == pytest.approx(expected), why


def test_a_call_is_worth_what_its_function_idles_on_average() -> None:
    history = idle(*(index + 0.5 for index in range(BINS)))
    stingy = KeepAliveSpec(worth_seconds=1.0)
    assert history.best_stretch(stingy.worth_seconds) is None
    assert decide(history, stingy).prewarm_after > 0, "two hours, which the later half is worth"


def test_an_environment_among_others_is_not_what_the_next_call_needs() -> None:
    assert decide(idle(*[60.5] * 10), SPEC, others=1) == KeepAlive(0.0, SPEC.extra_seconds)


def test_no_pre_warming_when_a_start_takes_longer() -> None:
    slow = KeepAliveSpec(refill_seconds=300.0)
    assert decide(idle(*[5.5] * 10), slow).prewarm_after == 0.0


@given(TIMES)
def test_waits_are_never_negative_and_bounded(times: list[float]) -> None:
    decision = decide(of_seconds(times), SPEC)
    assert decision.prewarm_after >= 0
    assert 0 < decision.keep_for <= SPEC.longest_wait


@given(BEYOND)
def test_a_seldom_call_is_awaited_where_the_last_ones_came(times: list[float]) -> None:
    decision = decide(of_seconds(times), SPEC)
    end = decision.prewarm_after + decision.keep_for
    if decision == HOPELESS:
        assert (max(times[-4:]) - min(times[-4:])) * (1 + SPEC.margin) > SPEC.longest_wait / 2
    else:
        assert all(decision.prewarm_after <= time <= end + 1e-6 for time in times[-4:])


@given(BEYOND, st.floats(0, 86_400), st.floats(0, 86_400))
def test_who_may_wait_longer_gives_up_later(times: list[float], one: float, other: float) -> None:
    less, more = (
        decide(of_seconds(times), KeepAliveSpec(longest_wait=longest))
        for longest in sorted((one, other))
    )
    assert less in {HOPELESS, more}


@settings(deadline=None)  # all pairs of edges
@given(TIMES, WORTHS)
def test_no_stretch_would_have_been_worth_more(times: list[float], worth: float) -> None:
    history = of_seconds(times)
    stretch = history.best_stretch(worth)
    edges = [0, *(index + step for index, met in enumerate(history.bins) if met for step in (0, 1))]
    best = max((gain(history, worth, *pair) for pair in combinations(sorted(edges), 2)), default=0)
    found = [int(edge / BIN_SECONDS) for edge in stretch] if stretch else [0, 0]
    assert gain(history, worth, *found) == pytest.approx(max(0.0, best), abs=1e-6 * (1 + worth))


@settings(deadline=None)
@given(TIMES, WORTHS, WORTHS)
def test_dearer_calls_are_met_more_often(times: list[float], one: float, other: float) -> None:
    history = of_seconds(times)

    def met(worth: float) -> int:
        since, until = history.best_stretch(worth) or (0.0, 0.0)
        return sum(history.bins[int(since / BIN_SECONDS) : int(until / BIN_SECONDS)])

    low, high = sorted((one, other))
    assert met(low) <= met(high) or high - low < 1e-6


@given(TIMES)
def test_what_is_remembered_of_a_function_stays_small(times: list[float]) -> None:
    history = of_seconds(times)
    parts = (history, history.bins, history.last_beyond, *history.last_beyond)
    assert sum(map(sys.getsizeof, parts)) < 4096
    assert history.count == sum(history.bins) + history.beyond == len(times)


def test_a_negative_idle_time_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        IdleTimes().add(-0.1)
