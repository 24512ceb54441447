"""What is still to be told of an event that has ended, and to whom; kept in the queue.

The record is stored before anybody is told of it, so that a destination that is away never makes a
function run again. `destinations` brings it there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from pilotlight.errors import PilotlightError
from pilotlight.resources import destination_kind

from .attempt import Ran
from .record import FailedBatch, InvocationRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pilotlight_gateway.event_queue.interface import Event

__all__ = ["Delivers", "Delivery", "Destination", "UndeliveredError"]


class UndeliveredError(PilotlightError):
    """A destination could not be reached, or refused; the message says why."""

    code = "Undelivered"
    status = 502
    retryable = True


@dataclass(frozen=True, slots=True)
class Destination:
    """Who is told: a destination, which gets a record, or a dead-letter queue."""

    address: str
    dead_letter: bool = False

    def message(self, record: InvocationRecord, region: str) -> str:
        """Return what it gets: the record; a dead-letter queue gets the event itself.

        A bucket gets a stream's batch with its record, other destinations what names it.
        """
        if self.dead_letter:
            return record.event.payload.decode(errors="replace")
        return record.text(region, whole=destination_kind(self.address) == "s3")

    def attributes(self, record: InvocationRecord) -> dict[str, tuple[str, str]]:
        """Return what a dead-letter queue gets beside the message: type and value by name."""
        return record.dead_letter_attributes() if self.dead_letter else {}


class Delivers(Protocol):
    """Brings records to one kind of destination, or to all."""

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        """Return once the destination has it; raises UndeliveredError."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record, and who has not been told yet."""

    record: InvocationRecord
    destinations: tuple[Destination, ...]
    attempts: int = 0

    def left(self, destinations: Iterable[Destination]) -> Delivery:
        """Return what is to be tried again after these were not reached."""
        return replace(self, destinations=tuple(destinations), attempts=self.attempts + 1)

    def dump(self) -> bytes:
        """Write it down, for `Event.delivery`; events that wait hold this form."""
        record = self.record
        document = {
            "ended": {
                "condition": record.condition,
                "message": record.message,
                "tries": record.tries,
                "response": _dump_ran(record.ran) if record.ran else None,
            },
            "targets": [asdict(one) for one in self.destinations],
            "ended_at": record.ended_at,
            "attempts": self.attempts,
        }
        if record.batch is not None:
            document["batch"] = asdict(record.batch)
        return json.dumps(document).encode()

    @classmethod
    def of(cls, event: Event) -> Self:
        """Read what `dump` wrote and an event holds."""
        document = json.loads(event.delivery)
        ended = document["ended"]
        response = ended.pop("response")
        ran = _load_ran(response) if response else None
        # What waited before batches were told of has none.
        batch = FailedBatch(**given) if (given := document.get("batch")) else None
        return cls(
            InvocationRecord(event, **ended, ended_at=document["ended_at"], ran=ran, batch=batch),
            tuple(Destination(**one) for one in document["targets"]),
            document["attempts"],
        )


def _dump_ran(ran: Ran) -> dict[str, Any]:
    document = asdict(ran) | {"payload": ran.payload.decode(errors="replace")}
    del document["seconds"]  # nobody is told
    return document


def _load_ran(document: dict[str, Any]) -> Ran:
    return Ran(**document | {"payload": document["payload"].encode()})
