"""Another function of the account: the record becomes an event of its own.

It has a dedup key of the event that it tells of, so that a delivery which is repeated runs nothing
twice, and its lineage, so that functions which are each other's destination come to an end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.arn import parse_function_reference
from pilotlight.errors import PilotlightError
from pilotlight_gateway.errors import ApiError
from pilotlight_gateway.events.acceptance import keep
from pilotlight_gateway.invocation.lineage import count_hop
from pilotlight_gateway.invocation.reference import Reference

from .notice import UndeliveredError

if TYPE_CHECKING:
    from pilotlight_gateway.services import Services

    from .notice import Notice

__all__ = ["FunctionDestination"]


class FunctionDestination:
    """Invokes functions asynchronously."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def deliver(self, notice: Notice) -> None:
        """Enqueue a notice; raises UndeliveredError."""
        event = notice.event
        named = parse_function_reference(notice.target.address)
        if named is None or named.account != event.account:
            raise UndeliveredError(f"{notice.target.address} is no function of {event.account}")
        region = self._services.settings.region
        reference = Reference(event.namespace, event.account, region, named.name, named.qualifier)
        try:
            await keep(
                self._services,
                reference,
                notice.message.encode(),
                trace_id=count_hop(event.trace_id, reference.unqualified_arn),
                dedup_key=f"{event.id}:{notice.delivery.ended.condition}",
            )
        except (ApiError, PilotlightError) as error:
            raise UndeliveredError(f"{notice.target.address}: {error}") from error
