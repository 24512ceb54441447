"""What is brought to a destination, and the error of one that cannot be reached."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pilotlight.errors import PilotlightError
from pilotlight_gateway.events.record import dead_letter_attributes, record

if TYPE_CHECKING:
    from typing import Any

    from pilotlight_gateway.event_queue.interface import Event
    from pilotlight_gateway.events.delivery import Delivery, Target

__all__ = ["Destination", "Notice", "UndeliveredError"]


class UndeliveredError(PilotlightError):
    """A destination could not be reached, or refused; the message says why."""

    code = "Undelivered"
    status = 502
    retryable = True


@dataclass(frozen=True, slots=True)
class Notice:
    """An event's outcome on its way to one target."""

    event: Event
    delivery: Delivery
    target: Target
    region: str

    @property
    def document(self) -> dict[str, Any]:
        """Lambda's invocation record."""
        return record(self.event, self.delivery, self.region)

    @property
    def message(self) -> str:
        """What a destination gets: the record; a dead-letter queue gets the event itself."""
        if self.target.dead_letter:
            return self.event.payload.decode(errors="replace")
        return json.dumps(self.document, ensure_ascii=False)

    @property
    def attributes(self) -> dict[str, tuple[str, str]]:
        """What a dead-letter queue gets beside the message: type and value by name."""
        if not self.target.dead_letter:
            return {}
        return dead_letter_attributes(self.event, self.delivery.ended)


class Destination(Protocol):
    """Brings notices to one kind of target."""

    async def deliver(self, notice: Notice) -> None:
        """Return once the target has it; raises UndeliveredError."""
        ...
