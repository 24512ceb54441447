"""What a service's door has: a name, a table of operations, and a form for its errors.

The service of a request is in its signature's scope; `doors` finds it, the pipeline goes through
it. A folder beside this module is one service; `unserved` answers for all others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pilotlight_gateway.auth.caller import RequestHead
from pilotlight_gateway.errors import ApiError, RequestEntityTooLargeError, TooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_gateway.access import AccessOf
    from pilotlight_gateway.exchange import Call, Query, Reply
    from pilotlight_gateway.services import Services

__all__ = ["Endpoint", "Handler", "Input", "Request", "Service"]

Handler = Callable[["Services", "Call"], Awaitable["Reply"]]
Input = Callable[["Query", "Mapping[str, str]", bytes], dict[str, Any]]
"""Puts an operation's input together from query, headers and body; raises ApiError."""


@dataclass(frozen=True, slots=True)
class Request(RequestHead):
    """A request's head, normalised: all that authenticators and doors may look at."""

    query: Query


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers a request, and how large its body may be."""

    operation: str
    handler: Handler
    parameters: dict[str, str]
    """Of the path, decoded."""
    limit: int
    """Bytes of the body."""
    access: AccessOf = field(kw_only=True)
    """What it would do, for policies."""
    too_large: TooLarge = RequestEntityTooLargeError
    input: Input | None = None
    anonymous: bool = False
    """Whether it answers without credentials; a ticket may stand for them."""
    logged: bool = True
    """Whether each call is a line of the gateway's log; invocations have logs of their own."""


class Service(Protocol):
    """One service's door."""

    def find(self, request: Request) -> Endpoint:
        """Find what answers; raises UnknownOperationError or NotSupportedError."""
        ...

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error in the service's own protocol."""
        ...
