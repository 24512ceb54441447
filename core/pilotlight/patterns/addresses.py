"""IP addresses and networks in patterns, read as event-ruler reads them."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import NamedTuple

from .errors import PatternError

__all__ = ["Address", "Network", "parse_address", "parse_network"]

_V4 = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15}){3}")
_V6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")
_BITS = {4: 32, 6: 128}


class Address(NamedTuple):
    """An address."""

    version: int
    """4 or 6."""
    number: int


class Network(NamedTuple):
    """All addresses that begin alike."""

    version: int
    first: int
    last: int

    def holds(self, value: object) -> bool:
        """Say whether a value is the text of an address of the network.

        event-ruler compares digit by digit, so that there a number, or an IPv6 address, can begin
        like an IPv4 network and match; here neither does.
        """
        address = parse_address(value) if isinstance(value, str) else None
        return (
            address is not None
            and address.version == self.version
            and self.first <= address.number <= self.last
        )


@functools.lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Read an address; None where the text is none. An IPv4 address written as IPv6 is IPv4."""
    if _V4.fullmatch(text):
        octets = [int(part) for part in text.split(".")]  # with zeros before, as in Java
        return Address(4, int.from_bytes(bytes(octets))) if max(octets) <= 0xFF else None  # noqa: PLR2004  a byte
    if not _V6.fullmatch(text):
        return None
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped
    return Address(4, int(mapped)) if mapped else Address(6, int(address))


def parse_network(text: str) -> Network:
    """Read `10.0.0.0/8`; raises PatternError."""
    base, slash, mask = text.partition("/")
    if not slash or "/" in mask:
        raise PatternError("Malformed CIDR, one '/' required")
    if not (mask.isascii() and mask.isdecimal()):
        raise PatternError("Malformed CIDR, mask bits must be an integer")
    address = parse_address(base)
    if address is None:
        raise PatternError(f"Nonstandard IP address: {base}")
    bits = _BITS[address.version]
    if int(mask) >= bits:
        raise PatternError(f"IPv{address.version} mask bits must be < {bits}")
    variable = (1 << (bits - int(mask))) - 1
    return Network(address.version, address.number & ~variable, address.number | variable)
