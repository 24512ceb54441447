"""Finds what brings a notice to its target, by the kind of its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import destination_kind

from .aws import AwsDestinations
from .function import FunctionDestination
from .http import HttpDestination
from .notice import UndeliveredError

if TYPE_CHECKING:
    from pilotlight_gateway.services import Services

    from .notice import Destination, Notice

__all__ = ["Destinations"]


class Destinations:
    """All kinds of destinations."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._aws = AwsDestinations(settings.region, settings.aws_endpoint_url or None)
        self._http = HttpDestination(private=settings.private_destinations)
        self._function = FunctionDestination(services)

    async def deliver(self, notice: Notice) -> None:
        """Return once the target has it; raises UndeliveredError."""
        await self._destination(notice.target.address).deliver(notice)

    async def close(self) -> None:
        """Let go of threads and connections."""
        self._aws.close()
        await self._http.close()

    def _destination(self, address: str) -> Destination:
        match destination_kind(address):
            case "sqs" | "sns" | "events" | "s3":
                return self._aws
            case "lambda":
                return self._function
            case "http":
                return self._http
            case None:
                raise UndeliveredError(f"{address}: nothing can be delivered there")
