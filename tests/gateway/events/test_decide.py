"""Lambda's rules for what becomes of an event: a moment, an outcome, and what is expected."""

from __future__ import annotations

import pytest

from pilotlight_gateway.event_queue.interface import Again
from pilotlight_gateway.events.decide import (
    Ended,
    FunctionFailed,
    NotRun,
    Outcome,
    Refused,
    Response,
    Succeeded,
    decide,
    expired,
)
from tests.support.events import event

FAILED = FunctionFailed(Response(b'{"errorMessage": "no"}', "$LATEST", "Unhandled"))
OK = Succeeded(Response(b"1", "7"))


def after(
    outcome: Outcome, *, tries: int = 0, refusals: int = 0, now: float = 100.0, retries: int = 2
) -> Again | Ended:
    """Decide about an event that came at 0 and is too old at 3600."""
    given = event("a", tries=tries, refusals=refusals)
    return decide(given, outcome, retries=retries, now=now, jitter=0.0)


@pytest.mark.parametrize(
    ("tries", "retries", "expected"),
    [
        (0, 2, Again(160.0, tries=1, refusals=0)),  # the second try after one minute
        (1, 2, Again(220.0, tries=2, refusals=0)),  # the third after two more
        (2, 2, "RetriesExhausted"),
        (0, 1, Again(160.0, tries=1, refusals=0)),
        (1, 1, "RetriesExhausted"),
        (0, 0, "RetriesExhausted"),
    ],
)
def test_a_function_error_is_tried_again(tries: int, retries: int, expected: Again | str) -> None:
    decided = after(FAILED, tries=tries, refusals=4, retries=retries)
    if isinstance(expected, Again):
        assert decided == expected
    else:
        assert isinstance(decided, Ended)
        assert (decided.condition, decided.tries) == (expected, tries + 1)


@pytest.mark.parametrize(
    ("refusals", "wait"), [(0, 1), (1, 2), (2, 4), (8, 256), (9, 300), (10_000, 300)]
)
@pytest.mark.parametrize("reason", [NotRun("busy", throttled=True), NotRun("away")])
def test_what_did_not_run_is_no_try_and_waits_longer_each_time(
    reason: NotRun, refusals: int, wait: int
) -> None:
    assert after(reason, tries=2, refusals=refusals) == Again(100.0 + wait, 2, refusals + 1)


def test_jitter_spreads_what_was_refused_together() -> None:
    given = event("a", refusals=3)
    waits = {
        decided.due_at
        for jitter in (0.0, 0.5, 1.0)
        if isinstance(
            decided := decide(given, NotRun("busy"), retries=2, now=0.0, jitter=jitter), Again
        )
    }
    assert waits == {8.0, 10.0, 12.0}


def test_nothing_waits_beyond_the_events_age() -> None:
    assert after(FAILED, now=3590.0) == Again(3600.0, 1, 0)
    assert after(NotRun("busy"), now=3599.5, refusals=5) == Again(3600.0, 0, 6)


def test_an_event_ends_with_its_true_reason() -> None:
    assert after(OK, tries=1) == Ended("Success", "", 2, OK.response)
    assert after(Refused("ZeroReservedConcurrency", "off")) == Ended(
        "ZeroReservedConcurrency", "off", 0
    )
    assert expired(event("a", tries=1)) == Ended(
        "EventAgeExceeded", "The event is older than 3600 s.", 1
    )
