"""An HTTP address that takes CloudEvents (version 1.0, "HTTP Protocol Binding", binary mode)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from pilotlight.public_addresses import connector
from pilotlight_gateway.events.delivery import UndeliveredError

if TYPE_CHECKING:
    from pilotlight_gateway.events.delivery import Destination
    from pilotlight_gateway.events.record import InvocationRecord

__all__ = ["HttpDestination"]

SECONDS = 10.0
_OK = range(200, 300)


class HttpDestination:
    """Posts invocation records; any answer from 200 to 299 means that it was taken."""

    def __init__(self, region: str, *, private: bool) -> None:
        """`private` allows addresses that are not the public internet's."""
        self._region = region
        self._private = private
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        """Post a record; raises UndeliveredError."""
        address = destination.address
        try:
            async with self._opened().post(
                address,
                data=destination.message(record, self._region).encode(),
                headers=_headers(record, self._region),
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # Refused, closed or filtered, private or not there: whoever named it is told no more.
            where = "" if self._private else " on the public internet"
            raise UndeliveredError(f"{address} cannot be reached{where}") from error
        if status not in _OK:
            raise UndeliveredError(f"{address}: status {status}")

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # connections close in the next turn of the loop

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                connector=connector(private=self._private),
                cookie_jar=aiohttp.DummyCookieJar(),  # tenants' addresses would fill it
            )
        return self._session


def _headers(record: InvocationRecord, region: str) -> dict[str, str]:
    outcome = "success" if record.succeeded else "failure"
    document = record.document(region)
    return {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-type": f"dev.pilotlight.invocation.{outcome}",
        "ce-source": document["requestContext"]["functionArn"],
        "ce-id": record.event.id,
        "ce-time": document["timestamp"],
    }
