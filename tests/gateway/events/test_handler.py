"""Whatever goes wrong with a destination, the event is owed and ends as a dead letter at last."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from pilotlight_gateway.event_queue.interface import Again, EventLease
from pilotlight_gateway.events.concurrency import Concurrency, Place
from pilotlight_gateway.events.delivery import Delivery, Destination, UndeliveredError
from pilotlight_gateway.events.handler import EventHandler
from pilotlight_gateway.events.metrics import EventMetrics
from pilotlight_gateway.events.record import InvocationRecord
from tests.support.events import event

GOOD = Destination("https://good.example")
BAD = Destination("https://bad.example")
FUNCTION = {"namespace": "default", "function": "f", "kind": "http"}


class Destinations:
    """Fails for one address."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.told: list[Destination] = []

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        assert record.condition == "Success"
        if destination == BAD:
            raise self.error
        self.told.append(destination)


@pytest.mark.parametrize("error", [UndeliveredError("away"), RuntimeError("a fault")])
async def test_a_destination_that_fails_is_tried_again_alone(error: Exception) -> None:
    registry, destinations = CollectorRegistry(), Destinations(error)
    handler = EventHandler(
        invoker=None,  # type: ignore[arg-type]  # the function has run
        targets=None,  # type: ignore[arg-type]  # the same
        queue=None,  # type: ignore[arg-type]  # the same
        destinations=destinations,
        metrics=EventMetrics(registry),
        region="us-east-1",
        clock=lambda: 9.0,
    )
    record = InvocationRecord(event("a"), "Success", "", 1, 5.0)
    delivery = Delivery(record, (BAD, GOOD))
    lease = EventLease(event("a", delivery=delivery.dump()), 1, 60.0, redelivered=False)
    place = Place(Concurrency(most=1), lease, 9.0, more=lambda: None)
    kept, settlement = await handler.handle(lease, place)
    assert kept is lease
    assert destinations.told == [GOOD]
    left = Delivery.of(lease.event).left([BAD])
    assert settlement == Again(10.0, 0, 0, left.dump())
    name = "pilotlight_async_destination_delivery_failures_total"
    assert registry.get_sample_value(name, FUNCTION) == 1
