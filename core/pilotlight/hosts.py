"""Whose a host is: which account's routes may ask for it, and which are the platform's own.

The chart's values say it to operator and gateways alike: the one says it of a route in a condition,
the others serve no route that asks for another's host.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .settings import names

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Hosts", "host_names", "hosts_by_account"]


@dataclass(frozen=True, slots=True)
class Hosts:
    """Hosts and their owners; a pattern is a host, or `*.` and what hosts end in."""

    reserved: tuple[str, ...] = ()
    """Nobody's: where the platform itself is reached."""
    owned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By account's namespace; an account that is named here gets no other hosts."""

    def allows(self, namespace: str, host: str) -> bool:
        """Say whether an account may have a host; `host` is in lower case, without a port."""
        if any(_fits(host, pattern) for pattern in self.reserved):
            return False
        owners = self._owners(host)
        return namespace in owners if owners else namespace not in self.owned

    def _owners(self, host: str) -> set[str]:
        """Return who names a host most exactly."""
        found = [
            (_exactness(pattern), namespace)
            for namespace, patterns in self.owned.items()
            for pattern in patterns
            if _fits(host, pattern)
        ]
        best = max(found, default=None)
        return {namespace for rank, namespace in found if best and rank == best[0]}


def host_names(text: str) -> tuple[str, ...]:
    """Read `host,…`; hosts have no case."""
    return names(text.lower())


def hosts_by_account(text: str) -> dict[str, tuple[str, ...]]:
    """Read `{"namespace": ["host", …], …}`; raises ValueError where something else came."""
    document = json.loads(text)
    if not isinstance(document, dict) or not all(map(_are_texts, document.values())):
        raise ValueError(f"{text[:200]!r} came, an object of lists of hosts is expected")
    return {
        namespace: tuple(host.lower() for host in hosts) for namespace, hosts in document.items()
    }


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _fits(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _exactness(pattern: str) -> tuple[bool, int]:
    return not pattern.startswith("*."), len(pattern)
