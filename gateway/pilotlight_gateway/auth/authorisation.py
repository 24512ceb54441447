"""Whether a caller may do what it asks for: the pipeline's step after authentication.

An account's own keys may do everything in their account, and nothing in another one: what a
request names is looked up in the caller's account alone. Policies of functions and of keys are
judged here once there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call

__all__ = ["Authoriser", "OwnAccount"]


class Authoriser(Protocol):
    """Decides about authenticated calls."""

    def authorise(self, call: Call) -> None:
        """Return where a call may go on; raises AccessDeniedError."""
        ...


class OwnAccount:
    """Allows an account's keys what they ask of their own account."""

    def authorise(self, call: Call) -> None:
        """Allow the call: there is no policy that could forbid it."""
