"""When a message is given up, and that nobody loses one that its destination has not on disk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.errors import UnavailableError
from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta
from pilotlight_gateway.event_sources.giving_up import GivingUp
from pilotlight_gateway.event_sources.queue import RECORDS, Message
from pilotlight_gateway.events.attempt import NotRun, Ran
from pilotlight_gateway.invocation.reference import Reference
from pilotlight_gateway.metrics import Metrics

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Event
    from pilotlight_gateway.event_sources.source import PolledMapping

NOW = 1_000_000.0
FAILED = Ran(b'{"errorMessage": "poison"}', "$LATEST", "Unhandled")
TOLD = {
    "destination_config": {"on_failure": {"destination": "arn:aws:sqs:us-east-1:000000000000:dead"}}
}


class Disk:
    """The queue of events, which may be away."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    async def enqueue(self, event: Event) -> None:
        if self.away:
            raise UnavailableError("the database is away")
        self.events.append(event)


def rules(disk: Disk, **spec: Any) -> GivingUp:
    given = EventSourceMappingSpec.model_validate(
        {"function": "f", "source": "redis://r:6379/s", **spec}
    )
    polled = SimpleNamespace(
        mapping=EventSourceMapping(metadata=ObjectMeta(name="m", namespace="n"), spec=given),
        reference=Reference("n", "000000000000", "us-east-1", "f", None),
        services=SimpleNamespace(events=disk),
        metrics=Metrics().event_sources.of("n", "m", "f"),
    )
    return GivingUp(cast("PolledMapping", polled), RECORDS, clock=lambda: NOW)


def message(deliveries: int = 1, age: float = 0.0) -> Message:
    return Message("1", "h", {}, encoded=b"{}", arrived_at=NOW - age, deliveries=deliveries)


@pytest.mark.parametrize(
    ("spec", "deliveries", "gone"),
    [
        ({}, 10_000, False),
        ({"maximum_retry_attempts": -1}, 10_000, False),
        ({"maximum_retry_attempts": 0}, 1, True),
        ({"maximum_retry_attempts": 2}, 2, False),
        ({"maximum_retry_attempts": 2}, 3, True),
        (TOLD, 10, False),
        (TOLD, 11, True),
        (TOLD | {"maximum_retry_attempts": 20}, 20, False),
    ],
)  # fmt: skip
async def test_retries_are_counted_in_deliveries(
    spec: dict[str, Any], deliveries: int, *, gone: bool
) -> None:
    """Without end where nothing is said; ten where somebody is to be told."""
    failed = [message(deliveries)]
    found = await rules(Disk(), **spec).exhausted(failed, FAILED)
    assert bool(found) is gone


async def test_what_did_not_run_is_not_given_up() -> None:
    giving_up = rules(Disk(), maximum_retry_attempts=0)
    assert await giving_up.exhausted([message(99)], NotRun("throttled", throttled=True)) == []


async def test_only_what_is_older_than_the_rule_is_given_up() -> None:
    """Nothing without a rule, however old."""
    batch = [message(age=59), message(age=61)]
    assert await rules(Disk(), maximum_record_age_in_seconds=60).expired(batch) == batch[1:]
    assert await rules(Disk()).expired(batch) == []


async def test_a_message_stays_while_nobody_can_be_told() -> None:
    """It is tried once more, and told of then."""
    disk = Disk()
    giving_up = rules(disk, maximum_retry_attempts=0, **TOLD)
    disk.away = True
    assert await giving_up.exhausted([message()], FAILED) == []
    disk.away = False
    assert await giving_up.exhausted([message(2)], FAILED) != []
    [event] = disk.events
    assert event.payload == b'{"Records":[{}]}'
