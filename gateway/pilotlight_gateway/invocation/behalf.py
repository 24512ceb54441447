"""In whose name the platform itself invokes: a schedule, a route, a subscription, a destination.

They are the account's own resources and need no statement that allows them; a statement that denies
stops them as it does on AWS, where they are services with a source, or the function itself. An
event source mapping is Lambda's own and is asked nothing, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.policies import PolicyRequest, decide
from pilotlight_gateway.auth.caller import Caller
from pilotlight_gateway.auth.permissions import context_of, denied

if TYPE_CHECKING:
    from .reference import Reference
    from .targets import Target

__all__ = ["as_function", "as_service", "refuse_denied"]

_ACTION = "lambda:InvokeFunction"


def as_service(name: str, source_arn: str, account: str) -> PolicyRequest:
    """Return the request of a service, such as scheduler.amazonaws.com, for a resource of its."""
    context = {"aws:sourcearn": source_arn, "aws:sourceaccount": account}
    return PolicyRequest(_ACTION, context=context, service=name)


def as_function(namespace: str, account: str, function: str) -> PolicyRequest:
    """Return the request of a function, as if it called with credentials of its own."""
    caller = Caller(account, namespace, f"function/{function}", function)
    return PolicyRequest(_ACTION, account, caller.arn, context_of(caller))


def refuse_denied(behalf: PolicyRequest, target: Target, reference: Reference) -> None:
    """Raise AccessDeniedError where the policy of what is invoked denies it."""
    if decide(target.policy, behalf) == "Deny":
        who = behalf.service or behalf.arn
        raise denied(who, behalf.action, reference.arn, "resource", "Deny")
