"""Connects to the public internet only, whatever a name or a URL says.

A destination is written by who writes the function, and posted to by the gateway, which reaches
more than the function may: the API server, other tenants' pods, the cloud's metadata.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

__all__ = ["is_private_literal", "public_connector"]


def public_connector() -> aiohttp.TCPConnector:
    """Return a connector that finds no addresses of private, link-local and like networks."""
    return aiohttp.TCPConnector(resolver=_PublicResolver())


def is_private_literal(host: str) -> bool:
    """Say whether a host is such an address itself: those are never resolved."""
    try:
        return not _is_public(host)
    except ValueError:
        return False


class _PublicResolver(AbstractResolver):
    """Leaves out what is not public: what was looked at is what is connected to."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if _is_public(one["host"])]
        if not public:
            raise OSError(errno.EHOSTUNREACH, f"{host} is not on the public internet")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast
