"""Which limit a claim counts against: the function's reserved concurrency, or what is left for all.

Reserved concurrency both caps and guarantees (AWS Lambda Developer Guide, "Configuring reserved
concurrency"): a function that has it never takes from the account's unreserved pool, and nobody
takes from its own. Follows the cache; `capacity` counts leases against the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pilotlight.errors import StartFailedError, ThrottledError
from pilotlight.resources import Function, Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.cache import Cache
    from pilotlight.claims import RevisionKey
    from pilotlight.errors import PilotlightError

__all__ = ["ACCOUNT_LIMIT", "Cap", "CapKey", "Caps", "no_place"]

ACCOUNT_LIMIT = 1000
"""Environments of an account, busy or idle (AWS Lambda Developer Guide, "Lambda quotas")."""


class CapKey(NamedTuple):
    """What leases are counted under; `function` is empty for the unreserved pool."""

    namespace: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit, and the reason that a throttle gives."""

    key: CapKey
    limit: int
    reason: str


def no_place(cap: Cap, *, others: int) -> PilotlightError:
    """Say why one more cannot be provisioned: others run in its place, or the cap is too low."""
    if others:
        return ThrottledError("Rate Exceeded.", reason=cap.reason)
    whose = f"function {cap.key.function} reserves" if cap.key.function else "are unreserved"
    return StartFailedError(
        f"more is to be provisioned than the {cap.limit} concurrent executions that {whose}",
        reason="InsufficientCapacity",
    )


class Caps:
    """The caps of all functions."""

    def __init__(self, cache: Cache, *, account_limit: int = ACCOUNT_LIMIT) -> None:
        self.synced = cache.synced
        self._account_limit = account_limit
        self._reserved: dict[Key, int] = {}
        self._on_change: Callable[[CapKey], None] = lambda _: None
        cache.on_change(Function, self._function_changed)

    def on_change(self, listener: Callable[[CapKey], None]) -> None:
        """Call a listener with every cap that may have become lower."""
        self._on_change = listener

    def key_of(self, revision: RevisionKey) -> CapKey:
        """Say what environments of a revision count under."""
        if (revision.namespace, revision.function) in self._reserved:
            return CapKey(revision.namespace, revision.function)
        return CapKey(revision.namespace)

    def of(self, revision: RevisionKey) -> Cap:
        """Return the cap that environments of a revision count against."""
        key = self.key_of(revision)
        if key.function:
            reserved = self._reserved[Key(*key)]
            return Cap(key, reserved, "ReservedFunctionConcurrentInvocationLimitExceeded")
        return self.unreserved(revision.namespace)

    def reserved(self, namespace: str) -> list[str]:
        """Name the functions of a namespace that have a cap of their own."""
        return [key.name for key in self._reserved if key.namespace == namespace]

    def unreserved(self, namespace: str) -> Cap:
        """Return the cap that all functions without a reservation share."""
        total = sum(value for key, value in self._reserved.items() if key.namespace == namespace)
        left = max(0, self._account_limit - total)
        return Cap(CapKey(namespace), left, "ConcurrentInvocationLimitExceeded")

    def _function_changed(self, before: Function | None, after: Function | None) -> None:
        function = after or before
        if function is not None:
            self._set(function.key, after.spec.reserved_concurrency if after else None)

    def _set(self, function: Key, reserved: int | None) -> None:
        if self._reserved.get(function) == reserved:
            return
        if reserved is None:
            del self._reserved[function]
        else:
            self._reserved[function] = reserved
        self._on_change(CapKey(function.namespace, function.name))
        self._on_change(CapKey(function.namespace))
