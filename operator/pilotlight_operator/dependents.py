"""Which functions look at which Secret and which Runtime, so that a change of those reaches them.

Fed by kopf's events about functions (`handlers`); forgotten with the process, told anew by the
next one's first list.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pilotlight.resources import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Dependents"]


class Dependents:
    """An index from what is referred to, to the functions that refer to it."""

    def __init__(self) -> None:
        self._referred: dict[Key, frozenset[tuple[str, Key]]] = {}
        self._dependents: defaultdict[tuple[str, Key], set[Key]] = defaultdict(set)

    def note(self, function: Key, spec: Mapping[str, Any]) -> None:
        """Remember what a function refers to now."""
        self._replace(function, _references(function, spec))

    def forget(self, function: Key) -> None:
        """Forget a function that is gone."""
        self._replace(function, frozenset())

    def of_secret(self, secret: Key) -> set[Key]:
        """Give the functions whose variables a Secret holds."""
        return set(self._dependents.get(("Secret", secret), ()))

    def of_runtime(self, runtime: str) -> set[Key]:
        """Give the functions of a runtime."""
        return set(self._dependents.get(("Runtime", Key("", runtime)), ()))

    def _replace(self, function: Key, references: frozenset[tuple[str, Key]]) -> None:
        before = self._referred.pop(function, frozenset())
        for gone in before - references:
            self._dependents[gone].discard(function)
            if not self._dependents[gone]:
                del self._dependents[gone]
        for added in references:
            self._dependents[added].add(function)
        if references:
            self._referred[function] = references


def _references(function: Key, spec: Mapping[str, Any]) -> frozenset[tuple[str, Key]]:
    secret = (spec.get("environmentFrom") or {}).get("secret")
    runtime = spec.get("runtime")
    found: set[tuple[str, Key]] = set()
    if secret:
        found.add(("Secret", Key(function.namespace, secret)))
    if runtime:
        found.add(("Runtime", Key("", runtime)))
    return frozenset(found)
