"""Who calls, and the interface that finds it out; one implementation a module beside this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Authenticator", "Caller", "RequestHead"]


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller and its account."""

    account: str
    """12 digits."""
    namespace: str
    principal: str


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What an authenticator sees of a request beside its body."""

    method: str
    path: str
    """Raw, as it was sent."""
    query: str
    """Raw, as it was sent."""
    headers: Mapping[str, str]
    """Case-insensitive."""
    repeated: frozenset[str]
    """Lower-cased names of headers that came more than once."""


class Authenticator(Protocol):
    """Finds out who calls."""

    async def authenticate(self, head: RequestHead, body: bytes) -> Caller:
        """Give the caller; raises an ApiError of status 403 or 400."""
        ...
