"""Connects to the public internet only, whatever a name or an address says.

What tenants name (destinations of events, issuers of tokens) the platform fetches, which reaches
more than a function may: the API server, other tenants' pods, the cloud's metadata. So each address
is judged where a socket is made for it: after names were resolved and whatever stood for digits was
read as them. Redirects are not followed (`fetch`), by callers neither.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

import aiohttp

from .errors import UnavailableError

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

__all__ = ["connector", "fetch", "is_public"]

SECONDS = 5.0
LARGEST_DOCUMENT = 256 * 1024
_OK = 200

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Public IPv4 addresses, as a network without IPv4 reaches them (RFC 6052)."""
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # Teredo, and other protocol assignments
            "2002::/16",  # 6to4: any IPv4 address may stand inside
            "3fff::/20",  # documentation
        ),
    )
)
"""What Python's `is_global` does not know of in every version that we run on."""


def connector(*, private: bool, limit: int = 100) -> aiohttp.TCPConnector:
    """Return a connector; without `private` it connects to no address that is not public.

    It has at most `limit` connections, 0: as many as are asked for.
    """
    return aiohttp.TCPConnector(limit=limit, socket_factory=None if private else _public_socket)


async def fetch(address: str, *, private: bool) -> bytes:
    """Get a small document without redirects; raises UnavailableError.

    `private` allows addresses that are not public.
    """
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


def is_public(address: str) -> bool:
    """Say whether an IP address is the public internet's; raises ValueError for a name."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in _NAT64:
            return is_public(str(ipaddress.IPv4Address(parsed.packed[-4:])))
        if parsed not in _GLOBAL_UNICAST:
            return False
    special = parsed.is_multicast or any(parsed in network for network in _NOT_PUBLIC)
    return parsed.is_global and not special


def _public_socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, (host, *_) = address
    if not is_public(str(host)):
        raise OSError(errno.EHOSTUNREACH, f"{host} is not on the public internet")
    return socket.socket(family, kind, protocol)
