"""How many batches run at once: Lambda's start, growth and limits, and the way back. No clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.event_sources.concurrency import Concurrency


def test_it_begins_with_five_and_adds_up_to_300_a_minute() -> None:
    concurrency = Concurrency()
    assert concurrency.limit == 5
    for second in range(61):
        concurrency.saturated(float(second))
    assert concurrency.limit == 305
    for second in range(61, 400):
        concurrency.saturated(float(second))
    assert concurrency.limit == 1250


def test_time_without_a_backlog_adds_nothing() -> None:
    concurrency = Concurrency()
    concurrency.saturated(0.0)
    concurrency.saturated(60.0)
    assert concurrency.limit == 5


def test_the_mappings_own_limit_holds() -> None:
    concurrency = Concurrency(2)
    for second in range(60):
        concurrency.saturated(float(second))
        concurrency.succeeded()
    assert concurrency.limit == 2


def test_it_backs_off_and_comes_back() -> None:
    """A throttle halves, an error takes a tenth, neither ends polling; successes give it back."""
    concurrency = Concurrency()
    concurrency.throttled()
    assert concurrency.limit == 2
    for _ in range(20):
        concurrency.failed()
        concurrency.throttled()
    assert concurrency.limit == 1
    for _ in range(10):
        concurrency.succeeded()
    assert concurrency.limit == 5


def test_after_quiet_it_begins_anew() -> None:
    concurrency = Concurrency()
    for second in range(61):
        concurrency.saturated(float(second))
    concurrency.idle()
    assert concurrency.limit == 5


@given(
    most=st.none() | st.integers(2, 1000),
    steps=st.lists(st.sampled_from(["saturated", "succeeded", "failed", "throttled", "idle"])),
)
def test_whatever_happens_it_stays_within_its_limits(most: int | None, steps: list[str]) -> None:
    concurrency = Concurrency(most)
    for second, step in enumerate(steps):
        before = concurrency.limit
        getattr(concurrency, step)(*([float(second)] if step == "saturated" else []))
        assert 1 <= concurrency.limit <= (most or 1250)
        if step in {"failed", "throttled"}:
            assert concurrency.limit <= before
