"""Whether a caller may do what it asks for: the pipeline's step after authentication.

An account's own keys may do everything in their account, and nothing in another one: what a
request names is looked up in the caller's account alone. A function's own credentials may invoke,
and nothing else: who takes a function over must not have the account. Policies of functions and of
keys are judged here once there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pilotlight_gateway.errors import AccessDeniedError

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call

__all__ = ["Authoriser", "OwnAccount"]

OF_FUNCTIONS = frozenset({"Invoke", "InvokeAsync"})
"""Operations that a function may ask for."""


class Authoriser(Protocol):
    """Decides about authenticated calls."""

    def authorise(self, call: Call) -> None:
        """Let a call go on; raises AccessDeniedError."""
        ...


class OwnAccount:
    """Allows an account's keys what they ask of their own account, and its functions to invoke."""

    def authorise(self, call: Call) -> None:
        """Refuse what a function asks for beside invocations; raises AccessDeniedError."""
        caller = call.caller
        if caller.function and call.operation not in OF_FUNCTIONS:
            raise AccessDeniedError(
                f"User: arn:aws:sts::{caller.account}:assumed-role/function/{caller.function} is "
                f"not authorized to perform: lambda:{call.operation} because a function's own "
                f"credentials allow {' and '.join(sorted(OF_FUNCTIONS))} alone"
            )
