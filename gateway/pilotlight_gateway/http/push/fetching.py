"""What a sender names is fetched: small, without redirects, within the guard for addresses."""

from __future__ import annotations

import aiohttp

from pilotlight.errors import UnavailableError
from pilotlight.public_addresses import connector

__all__ = ["fetch"]

SECONDS = 5.0
LARGEST_DOCUMENT = 64 * 1024
_OK = 200


async def fetch(address: str, *, private: bool) -> bytes:
    """Get an address; raises UnavailableError. `private` allows those that are not public."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector(private=private), timeout=timeout) as session,
            session.get(address, allow_redirects=False) as response,
        ):
            if response.status != _OK:
                raise UnavailableError(f"{address} answers with status {response.status}")
            content = b""
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > LARGEST_DOCUMENT:
                    raise UnavailableError(
                        f"{address} answers with more than {LARGEST_DOCUMENT} bytes"
                    )
            return content
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        # Refused, closed or filtered, private or not there: whoever named it is told no more.
        raise UnavailableError(f"{address} cannot be read") from error
