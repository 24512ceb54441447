"""Finds the address of the host that packages come from, so that no pod has to.

A pod's resolver tries each of its search domains in turn, for both address families, before it
comes to a Service of another namespace: on the way of every cold start, and always the same answer.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit, urlunsplit

__all__ = ["ArtifactHost"]

KEPT_SECONDS = 30.0
"""How old an address may be before it is looked up again."""


class ArtifactHost:
    """Keeps the addresses of a few hosts.

    An old one is given while it is looked up again, so that only the very first start waits. A
    Service keeps its address as long as it lives; if it is made anew one start fails, which
    `starts` tries again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, str]] = {}
        self._looking: dict[tuple[str, int], asyncio.Task[str]] = {}

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
        known = self._known.get((host, port))
        if known is None:
            return await self._look_up(host, port)
        until, address = known
        if asyncio.get_running_loop().time() >= until and (host, port) not in self._looking:
            task = asyncio.create_task(self._look_up(host, port))
            self._looking[host, port] = task
            task.add_done_callback(lambda done: self._looked(host, port, done))
        return address

    async def _look_up(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port)
        address = str(found[0][4][0])
        self._known[host, port] = loop.time() + KEPT_SECONDS, address
        return address

    def _looked(self, host: str, port: int, task: asyncio.Task[str]) -> None:
        del self._looking[host, port]
        if not task.cancelled() and task.exception() is not None:
            del self._known[host, port]  # the name is gone: the next start asks by itself
