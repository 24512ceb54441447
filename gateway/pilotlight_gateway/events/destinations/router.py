"""Finds what brings a record to its destination, by the kind of its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import destination_kind
from pilotlight_gateway.events.delivery import UndeliveredError

from .aws import AwsDestinations
from .function import FunctionDestination
from .http import HttpDestination

if TYPE_CHECKING:
    from pilotlight_gateway.events.delivery import Delivers, Destination
    from pilotlight_gateway.events.record import InvocationRecord
    from pilotlight_gateway.invocation.invoker import Invoker
    from pilotlight_gateway.settings import Settings

__all__ = ["Destinations"]


class Destinations:
    """All kinds of destinations."""

    def __init__(self, settings: Settings, invoker: Invoker) -> None:
        region = settings.region
        self._aws = AwsDestinations(region, settings.aws_endpoint_url or None)
        self._http = HttpDestination(region, private=settings.private_destinations)
        self._function = FunctionDestination(region, invoker)

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        """Return once the destination has it; raises UndeliveredError."""
        await self._of(destination.address).deliver(record, destination)

    async def close(self) -> None:
        """Let go of threads and connections."""
        self._aws.close()
        await self._http.close()

    def _of(self, address: str) -> Delivers:
        match destination_kind(address):
            case "sqs" | "sns" | "events" | "s3":
                return self._aws
            case "lambda":
                return self._function
            case "http":
                return self._http
            case None:
                raise UndeliveredError(f"{address}: nothing can be delivered there")
