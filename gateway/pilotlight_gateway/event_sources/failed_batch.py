"""A batch of a stream that was given up, as its on-failure destination is told of it.

The record waits in the queue of events before the shard goes on, so that a destination that is away
holds up no shard, and what it never takes stands as a dead letter (docs/events.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.event_queue.interface import Event
from pilotlight_gateway.events.delivery import Delivery, Destination
from pilotlight_gateway.events.record import FailedBatch, InvocationRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilotlight_gateway.events.attempt import Ran

    from .source import PolledMapping
    from .stream import StreamRecord

__all__ = ["LastRun", "batch_info", "failure_event", "timestamp"]

HOLD_SECONDS = 60.0
"""How long a gateway may work on one delivery."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last invocation with a batch, or what it would have been."""

    request_id: str
    payload: bytes
    ran: Ran | None = None
    """None where the function did not run."""


def failure_event(  # noqa: PLR0913  what a record says
    polled: PolledMapping,
    condition: str,
    tries: int,
    last: LastRun,
    *,
    batch: FailedBatch | None = None,
    now: float,
) -> Event | None:
    """Return what is to be delivered; None where nobody is to be told.

    Without a `batch` that names records the destination gets them themselves.
    """
    config = polled.mapping.spec.destination_config
    if config is None or config.on_failure is None:
        return None
    event = _event(polled, last, now)
    record = InvocationRecord(event, condition, "", tries, now, last.ran, batch)
    delivery = Delivery(record, (Destination(config.on_failure.destination),))
    return replace(event, delivery=delivery.dump())


def batch_info(shard: str, arn: str, records: Sequence[StreamRecord]) -> dict[str, Any]:
    """Say which records a batch had, as Lambda does; a window's last invocation has none."""
    told: dict[str, Any] = {"shardId": shard}
    if records:
        told |= {
            "startSequenceNumber": records[0].sequence,
            "endSequenceNumber": records[-1].sequence,
            "approximateArrivalOfFirstRecord": timestamp(records[0].arrived_at),
            "approximateArrivalOfLastRecord": timestamp(records[-1].arrived_at),
        }
    return told | {"batchSize": len(records), "streamArn": arn}


def _event(polled: PolledMapping, last: LastRun, now: float) -> Event:
    reference = polled.reference
    return Event(
        id=last.request_id,
        account=reference.account,
        namespace=reference.namespace,
        function=reference.name,
        qualifier=reference.qualifier or "",
        payload=last.payload,
        enqueued_at=now,
        due_at=now,
        expires_at=now,
        hold_seconds=HOLD_SECONDS,
    )


def timestamp(seconds: float) -> str:
    """Write a moment as Lambda does."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
