"""Whether a caller may do what it asks for: the pipeline's step after authentication.

An account's own keys may do everything in their account, and nothing in another one: what a
request names is looked up in the caller's account alone. A function's own credentials may invoke,
and nothing else: who takes a function over must not have the account. Policies of functions and of
keys are judged here once there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.errors import AccessDeniedError

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call

__all__ = ["authorise"]

OF_FUNCTIONS = frozenset({
    "Invoke", "InvokeAsync", "InvokeWithResponseStream", "GetCallerIdentity",
})  # fmt: skip
"""Operations that a function may ask for."""


def authorise(call: Call) -> None:
    """Let a call go on; raises AccessDeniedError."""
    caller = call.caller
    if caller.function and call.operation not in OF_FUNCTIONS:
        raise AccessDeniedError(
            f"User: {caller.arn} is not authorized to perform: lambda:{call.operation} because a "
            f"function's own credentials allow {' and '.join(sorted(OF_FUNCTIONS))} alone"
        )
