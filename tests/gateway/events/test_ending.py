"""Where an event that has ended goes."""

from __future__ import annotations

import pytest

from pilotlight.resources import AsyncConfig
from pilotlight_gateway.event_queue.interface import Again, Dead, Done
from pilotlight_gateway.events.decide import Ended, Response
from pilotlight_gateway.events.delivery import Delivery, Target
from pilotlight_gateway.events.ending import MOST_DELIVERIES, after_delivery, end
from tests.support.events import event

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
OTHER = "arn:aws:sqs:us-east-1:000000000000:other"
OK = Ended("Success", "", 1, Response('{"ü": 1}'.encode(), "3"))
FAILED = Ended("RetriesExhausted", "a\0b" + "x" * 10_000, 3)


def test_a_success_that_nobody_wants_to_hear_of_is_done() -> None:
    assert end(event("a"), OK, AsyncConfig(on_failure=QUEUE), QUEUE, 5.0) == Done()


def test_a_failure_that_nobody_is_told_of_is_a_dead_letter() -> None:
    settlement = end(event("a"), FAILED, AsyncConfig(on_success=QUEUE), None, 5.0)
    assert isinstance(settlement, Dead)
    assert (settlement.reason, settlement.at, settlement.tries) == ("RetriesExhausted", 5.0, 3)
    assert settlement.message.startswith("a\N{REPLACEMENT CHARACTER}bx")
    assert len(settlement.message) == 4096


@pytest.mark.parametrize(
    ("ended", "expected"),
    [(OK, (Target(OTHER),)), (FAILED, (Target(QUEUE), Target(OTHER, dead_letter=True)))],
)
def test_who_is_to_be_told_is_stored_first(ended: Ended, expected: tuple[Target, ...]) -> None:
    config = AsyncConfig(on_success=OTHER, on_failure=QUEUE)
    settlement = end(event("a", tries=1), ended, config, OTHER, 5.0)
    assert isinstance(settlement, Again)
    assert (settlement.due_at, settlement.tries) == (5.0, 1)
    assert Delivery.load(settlement.delivery) == Delivery(ended, expected, 5.0)


def test_only_those_who_were_not_reached_are_told_again_and_ever_later() -> None:
    delivery = Delivery(FAILED, (Target(QUEUE), Target(OTHER)), 5.0)
    assert after_delivery(event("a"), delivery, {}, 9.0) == Done()
    waits = []
    for _ in range(MOST_DELIVERIES - 1):
        settlement = after_delivery(event("a"), delivery, {Target(OTHER): "away"}, 9.0)
        assert isinstance(settlement, Again)
        delivery = Delivery.load(settlement.delivery)
        assert delivery.targets == (Target(OTHER),)
        waits.append(settlement.due_at - 9.0)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    settlement = after_delivery(event("a"), delivery, {Target(OTHER): "away"}, 9.0)
    assert isinstance(settlement, Dead)
    assert settlement.reason == "DestinationDeliveryFailed"
    assert settlement.message == "RetriesExhausted, and nobody could be told: away"
