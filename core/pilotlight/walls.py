"""What a function's own `network` may open: an admin's word, in the chart's values.

The public internet, pods of the account's own namespace, and what the account is granted; never by
an account's word alone what the chart keeps closed, such as private and link-local addresses or,
with `denyByDefault`, the internet. Which subnets there are is the admin's word, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .resources import Egress, Network

__all__ = ["Grant", "Subnet", "Walls", "walls"]

Range = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Grant:
    """What an account may open beside what every account may."""

    public: bool = False
    """The public internet, where it is denied to others."""
    cidrs: tuple[Range, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet that functions may name."""

    vpc: str
    zone: str = ""
    """Where pods run then, by the nodes' label; anywhere where it is empty."""


@dataclass(frozen=True, slots=True)
class Walls:
    """What is closed, and who may open what."""

    blocked: tuple[Range, ...] = ()
    deny_by_default: bool = False
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """By the account's namespace."""
    subnets: Mapping[str, Subnet] = field(default_factory=dict)

    def refusal(self, namespace: str, network: Network) -> str | None:
        """Say what an account may not open of what its function asks for; None where it may all."""
        if network.public and not self.opens_public(namespace):
            return (
                "network.public: the public internet is closed here; "
                f"functions.network.grants.{namespace}.public of the chart opens it"
            )
        return next((said for one in network.egress if (said := self._no(namespace, one))), None)

    def allows(self, namespace: str, egress: Egress) -> bool:
        """Whether an account may open this."""
        return self._no(namespace, egress) is None

    def opens_public(self, namespace: str) -> bool:
        """Whether an account may open the public internet."""
        return not self.deny_by_default or self._grant(namespace).public

    def holes(self, namespace: str, cidr: Range) -> list[Range]:
        """Return the ranges that stay closed within one that an account opens."""
        if self._is_granted(namespace, cidr):
            return []
        return [one for one in self.blocked if _within(one, cidr)]

    def _no(self, namespace: str, egress: Egress) -> str | None:
        if egress.cidr is None:
            return self._no_pods(namespace, egress.namespace or namespace)
        try:
            cidr = ip_network(egress.cidr)
        except ValueError as error:
            return f"network.egress: cidr {error}: a range such as 203.0.113.0/24 is expected"
        if self._is_granted(namespace, cidr):
            return None
        if any(_within(cidr, one) for one in self.blocked):
            return _ask_for(f"cidr {cidr} is closed to functions", namespace, "cidrs")
        if not self.opens_public(namespace):
            return _ask_for(f"cidr {cidr}: the internet is closed here", namespace, "cidrs")
        return None

    def _no_pods(self, namespace: str, wanted: str) -> str | None:
        if wanted == namespace or wanted in self._grant(namespace).namespaces:
            return None
        return _ask_for(f"namespace {wanted} is not the function's own", namespace, "namespaces")

    def _is_granted(self, namespace: str, cidr: Range) -> bool:
        return any(_within(cidr, one) for one in self._grant(namespace).cidrs)

    def _grant(self, namespace: str) -> Grant:
        return self.grants.get(namespace, _NOTHING)


_NOTHING = Grant()


def walls(text: str) -> Walls:
    """Read the chart's values as JSON; raises ValueError where something else came."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"{text[:200]!r} came, an object is expected")  # noqa: TRY004  of a setting
    try:
        return _walls(document)
    except (AttributeError, KeyError, TypeError) as error:
        said = f"{text[:200]!r} came, blocked, denyByDefault, grants and subnets are expected"
        raise ValueError(said) from error


def _walls(document: Mapping[str, Any]) -> Walls:
    grants = document.get("grants", {}).items()
    subnets = document.get("subnets", {}).items()
    return Walls(
        blocked=_ranges(document.get("blocked", [])),
        deny_by_default=bool(document.get("denyByDefault")),
        grants={namespace: _grant(given) for namespace, given in grants},
        subnets={name: Subnet(given["vpc"], given.get("zone", "")) for name, given in subnets},
    )


def _grant(given: Mapping[str, Any]) -> Grant:
    return Grant(
        public=bool(given.get("public")),
        cidrs=_ranges(given.get("cidrs", [])),
        namespaces=tuple(given.get("namespaces", [])),
    )


def _ranges(given: list[str]) -> tuple[Range, ...]:
    return tuple(ip_network(one) for one in given)


def _within(inner: Range, outer: Range) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _ask_for(said: str, namespace: str, what: str) -> str:
    opens = f"functions.network.grants.{namespace}.{what} of the chart opens it"
    return f"network.egress: {said}; {opens}"
