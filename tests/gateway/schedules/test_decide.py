"""What is due at a moment: a table of moments, and laws that hold of every history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight.resources import ObjectMeta, Schedule, ScheduleSpec
from pilotlight_gateway.schedules.decide import decide

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def a_schedule(expression: str = "rate(10 minutes)", **spec: Any) -> Schedule:
    document = {"expression": expression, "function": "fn", **spec}
    metadata = ObjectMeta(
        name="s", namespace="ns", uid="uid-1", creation_timestamp="2026-01-01T00:00:00Z"
    )
    return Schedule(metadata=metadata, spec=ScheduleSpec.model_validate(document))


def minutes(number: float) -> datetime:
    return MADE + timedelta(minutes=number)


@pytest.mark.parametrize(
    ("now", "done", "due", "wake"),
    [
        (0, None, None, 10),  # nothing fires when it is made
        (9.9, None, None, 10),
        (10, None, 10, 20),
        (15, None, 10, 20),
        (15, 10, None, 20),  # fired already
        (45, 10, 40, 50),  # down from 10 to 45: only the latest time fires
        (10 + 359, 10, 360, 370),
        (5000, 10, 5000, 5010),
    ],
)
def test_what_is_due(now: float, done: float | None, due: float | None, wake: float) -> None:
    known = {} if done is None else {"uid-1": minutes(done)}
    decision = decide(minutes(now), [a_schedule()], known)
    assert [one.time for one in decision.firings] == ([] if due is None else [minutes(due)])
    assert decision.wake_at == minutes(wake)


@pytest.mark.parametrize(("late", "fires"), [(59, True), (60, True), (61, False)])
def test_what_was_missed_fires_only_inside_its_maximum_age(late: int, fires: bool) -> None:  # noqa: FBT001  a table
    schedule = a_schedule("cron(0 6 * * ? *)", maximumEventAge=60)
    now = datetime(2026, 1, 5, 6, 0, tzinfo=UTC) + timedelta(seconds=late)
    decision = decide(now, [schedule], {})
    assert bool(decision.firings) == fires
    assert decision.wake_at == datetime(2026, 1, 6, 6, 0, tzinfo=UTC)


def test_disabled_started_and_ended() -> None:
    assert decide(minutes(30), [a_schedule(enabled=False)], {}).firings == []
    later = a_schedule(start="2026-01-01T01:05:00Z", end="2026-01-01T01:20:00Z")
    assert decide(minutes(64), [later], {}).firings == []
    times = [decide(minutes(now), [later], {}).firings[0].time for now in (65, 75, 85, 300)]
    assert times == [minutes(65), minutes(75), minutes(75), minutes(75)]
    assert decide(minutes(85), [later], {"uid-1": minutes(75)}).wake_at is None


def test_at_fires_once() -> None:
    schedule = a_schedule("at(2026-01-01T00:30:00)")
    (firing,) = decide(minutes(31), [schedule], {}).firings
    assert decide(minutes(40), [schedule], {"uid-1": firing.time}).firings == []
    past = a_schedule("at(2025-12-31T23:59:00)")
    assert decide(minutes(1), [past], {}).firings == []


expressions = st.sampled_from([
    "rate(1 minute)", "rate(7 minutes)", "rate(2 hours)", "cron(0/5 * * * ? *)",
    "cron(0 3,4 * * ? *)", "cron(30 * ? * MON-FRI *)",
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    expressions,
    st.sampled_from([0, 3, 90]),
    st.lists(st.integers(1, 5000), min_size=1, max_size=15),
    st.sets(st.integers(0, 14)),
)
def test_no_time_fires_twice_and_none_is_lost_while_somebody_looks(
    expression: str, window: int, steps: list[int], restarts: set[int]
) -> None:
    """Looks at any moments; what is not fired is older than another that fired in its place."""
    schedule = a_schedule(expression, flexibleWindow=window)
    now, done, fired = MADE, dict[str, datetime](), list[datetime]()
    for number, step in enumerate(steps):
        now += timedelta(seconds=step)
        for firing in decide(now, [schedule], done).firings:
            assert firing.time <= firing.moment <= now
            fired.append(firing.time)
            # A process that dies before it notes a firing comes to the same one again.
            again = decide(now, [schedule], done).firings if number in restarts else [firing]
            assert [one.time for one in again] == [firing.time]
            done["uid-1"] = firing.time
        assert decide(now, [schedule], done).firings == []
    assert fired == sorted(set(fired))
    settled = decide(now, [schedule], done)
    assert settled.wake_at is None or settled.wake_at > now


def test_a_look_at_every_wake_fires_every_time() -> None:
    schedule = a_schedule("cron(0/5 * * * ? *)", flexibleWindow=4)
    now, done, fired = MADE, dict[str, datetime](), list[datetime]()
    while len(fired) < 50:
        decision = decide(now, [schedule], done)
        for firing in decision.firings:
            assert firing.moment == now
            fired.append(firing.time)
            done["uid-1"] = firing.time
        assert decision.wake_at is not None
        now = decision.wake_at
    assert fired == [minutes(5 * number) for number in range(1, 51)]
