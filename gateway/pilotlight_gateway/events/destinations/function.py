"""Another function of the account: the record becomes an event of its own.

It has a dedup key of the event that it tells of, so that a delivery which is repeated runs nothing
twice, and its lineage, so that functions which are each other's destination come to an end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.arn import parse_function_reference
from pilotlight.errors import PilotlightError
from pilotlight_gateway.errors import ApiError
from pilotlight_gateway.events.delivery import UndeliveredError
from pilotlight_gateway.identifiers import new_request_id
from pilotlight_gateway.invocation.behalf import as_function
from pilotlight_gateway.invocation.invocation import Invocation
from pilotlight_gateway.invocation.lineage import count_hop
from pilotlight_gateway.invocation.reference import Reference

if TYPE_CHECKING:
    from pilotlight_gateway.events.delivery import Destination
    from pilotlight_gateway.events.record import InvocationRecord
    from pilotlight_gateway.invocation.invoker import Invoker

__all__ = ["FunctionDestination"]


class FunctionDestination:
    """Invokes functions asynchronously."""

    def __init__(self, region: str, invoker: Invoker) -> None:
        self._region = region
        self._invoker = invoker

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        """Enqueue a record; raises UndeliveredError."""
        event, address = record.event, destination.address
        named = parse_function_reference(address)
        if named is None or named.account != event.account:
            raise UndeliveredError(f"{address} is no function of {event.account}")
        reference = Reference(
            event.namespace, event.account, self._region, named.name, named.qualifier
        )
        invocation = Invocation(
            request_id=new_request_id(),
            function_arn=reference.arn,
            trace_id=count_hop(event.trace_id, reference.unqualified_arn),
            event=destination.message(record, self._region).encode(),
        )
        dedup_key = f"{event.id}:{record.condition}"
        try:
            await self._invoker.enqueue(
                reference, invocation, dedup_key=dedup_key,
                behalf=as_function(event.namespace, event.account, event.function),
            )  # fmt: skip
        except (ApiError, PilotlightError) as error:
            raise UndeliveredError(f"{address}: {error}") from error

    async def close(self) -> None:
        """Nothing is held: events go into the gateway's own queue."""
