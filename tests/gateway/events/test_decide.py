"""Lambda's rules for what becomes of an event: a moment, an outcome, and what is expected."""

from __future__ import annotations

import pytest

from pilotlight.resources import AsyncConfig
from pilotlight_gateway.event_queue.interface import Again, Dead, Done
from pilotlight_gateway.events.attempt import NotRun, Outcome, Ran, Refused
from pilotlight_gateway.events.decide import (
    MOST_DELIVERIES,
    after_attempt,
    after_delivery,
    after_end,
    expired,
)
from pilotlight_gateway.events.delivery import Delivery, Destination
from pilotlight_gateway.events.record import InvocationRecord
from tests.support.events import event

FAILED = Ran(b'{"errorMessage": "no"}', "$LATEST", "Unhandled")
OK = Ran(b"1", "7")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
OTHER = "arn:aws:sqs:us-east-1:000000000000:other"
EVENT = event("a", tries=1)
SUCCESS = InvocationRecord(EVENT, "Success", "", 2, 5.0, OK)
FAILURE = InvocationRecord(EVENT, "RetriesExhausted", "a\0b" + "x" * 10_000, 3, 5.0)


def after(
    outcome: Outcome, *, tries: int = 0, refusals: int = 0, now: float = 100.0, retries: int = 2
) -> Again | InvocationRecord:
    """Decide about an event that came at 0 and is too old at 3600."""
    given = event("a", tries=tries, refusals=refusals)
    return after_attempt(given, outcome, retries=retries, now=now, jitter=0.0)


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
        assert isinstance(decided, InvocationRecord)
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
    given, busy = event("a", refusals=3), NotRun("busy")
    decided = [
        after_attempt(given, busy, retries=2, now=0.0, jitter=jitter) for jitter in (0.0, 0.5, 1.0)
    ]
    assert decided == [Again(due_at, 0, 4) for due_at in (8.0, 10.0, 12.0)]


def test_nothing_waits_beyond_the_events_age() -> None:
    assert after(FAILED, now=3590.0) == Again(3600.0, 1, 0)
    assert after(NotRun("busy"), now=3599.5, refusals=5) == Again(3600.0, 0, 6)


def test_an_event_ends_with_its_true_reason() -> None:
    assert after(OK, tries=1) == InvocationRecord(EVENT, "Success", "", 2, 100.0, OK)
    off = after(Refused("ZeroReservedConcurrency", "off"))
    assert off == InvocationRecord(event("a"), "ZeroReservedConcurrency", "off", 0, 100.0)
    message = "The event is older than 3600 s."
    assert expired(EVENT, 9.0) == InvocationRecord(EVENT, "EventAgeExceeded", message, 1, 9.0)


def test_a_success_that_nobody_wants_to_hear_of_is_done() -> None:
    assert after_end(SUCCESS, AsyncConfig(on_failure=QUEUE), QUEUE) == Done()


def test_a_failure_that_nobody_is_told_of_is_a_dead_letter() -> None:
    settlement = after_end(FAILURE, AsyncConfig(on_success=QUEUE), None)
    assert isinstance(settlement, Dead)
    assert (settlement.reason, settlement.at, settlement.tries) == ("RetriesExhausted", 5.0, 3)
    assert settlement.message.startswith("a\N{REPLACEMENT CHARACTER}bx")
    assert len(settlement.message) == 4096


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (SUCCESS, (Destination(OTHER),)),
        (FAILURE, (Destination(QUEUE), Destination(OTHER, dead_letter=True))),
    ],
)
def test_who_is_to_be_told_is_stored_first(
    record: InvocationRecord, expected: tuple[Destination, ...]
) -> None:
    config = AsyncConfig(on_success=OTHER, on_failure=QUEUE)
    settlement = after_end(record, config, OTHER)
    assert settlement == Again(5.0, 1, 0, Delivery(record, expected).dump())


def test_only_those_who_were_not_reached_are_told_again_and_ever_later() -> None:
    delivery = Delivery(FAILURE, (Destination(QUEUE), Destination(OTHER)))
    assert after_delivery(delivery, {}, 9.0) == Done()
    unreached, waits = {Destination(OTHER): "away"}, []
    for _ in range(MOST_DELIVERIES - 1):
        settlement = after_delivery(delivery, unreached, 9.0)
        assert isinstance(settlement, Again)
        delivery = delivery.left(unreached)
        assert settlement.delivery == delivery.dump()
        assert delivery.destinations == (Destination(OTHER),)
        waits.append(settlement.due_at - 9.0)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    settlement = after_delivery(delivery, unreached, 9.0)
    assert isinstance(settlement, Dead)
    assert settlement.reason == "DestinationDeliveryFailed"
    assert settlement.message == "RetriesExhausted, and nobody could be told: away"
