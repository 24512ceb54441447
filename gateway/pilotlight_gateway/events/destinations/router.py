"""Finds what brings a record to its destination, by the kind of its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pilotlight.resources import destination_kind
from pilotlight_gateway.events.delivery import UndeliveredError

from .aws import AwsDestinations
from .function import FunctionDestination
from .http import HttpDestination

if TYPE_CHECKING:
    from pilotlight.aws.credentials import AwsCredentials
    from pilotlight_gateway.events.delivery import Destination
    from pilotlight_gateway.events.record import InvocationRecord
    from pilotlight_gateway.invocation.invoker import Invoker
    from pilotlight_gateway.settings import Settings

__all__ = ["Carrier", "Destinations"]


class Carrier(Protocol):
    """Brings records to the addresses of one kind, or of several."""

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        """Return once the destination has it; raises UndeliveredError."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class Destinations:
    """All kinds of destinations."""

    def __init__(self, settings: Settings, invoker: Invoker, credentials: AwsCredentials) -> None:
        region = settings.region
        aws = AwsDestinations(region, credentials, settings.aws_endpoint_url or None)
        self.of_kind: dict[str, Carrier] = {
            "sqs": aws,
            "sns": aws,
            "events": aws,
            "s3": aws,
            "lambda": FunctionDestination(region, invoker),
            "http": HttpDestination(region, private=settings.private_addresses),
        }
        """What brings records to the addresses of a kind (`resources.asynchronous.ADDRESSES`)."""

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        """Return once the destination has it; raises UndeliveredError."""
        found = self.of_kind.get(destination_kind(destination.address) or "")
        if found is None:
            raise UndeliveredError(f"{destination.address}: nothing can be delivered there")
        await found.deliver(record, destination)

    async def close(self) -> None:
        """Let go of threads and connections."""
        for one in {id(each): each for each in self.of_kind.values()}.values():
            await one.close()
