"""Finds the address of the host that packages come from, so that no pod has to.

A pod's resolver tries each of its search domains in turn, for both address families, before it
comes to a Service of another namespace: on the way of every cold start, and always the same answer.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit, urlunsplit

__all__ = ["ArtifactHost"]

KEPT_SECONDS = 30.0


class ArtifactHost:
    """Keeps the addresses of a few hosts for a while."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, str]] = {}

    async def reachable(self, url: str) -> str:
        """Put the address in the place of the name; any other url is given back as it is.

        With TLS the name is what the certificate is checked against, so it stays.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            return url
        port = parts.port or 80
        try:
            address = await self._address(parts.hostname, port)
        except OSError:
            return url  # the pod may know more
        host = f"[{address}]" if ":" in address else address
        return urlunsplit(parts._replace(netloc=f"{host}:{port}"))

    async def _address(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        until, address = self._known.get((host, port), (0.0, ""))
        if loop.time() >= until:
            found = await loop.getaddrinfo(host, port)
            address = str(found[0][4][0])
            self._known[host, port] = loop.time() + KEPT_SECONDS, address
        return address
