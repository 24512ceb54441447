"""What a function's policy says of who calls its URL (Lambda Developer Guide, "Function URLs").

Both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` must be allowed, as on Lambda since
October 2025. The account's own callers need no statement, only none that denies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.policies import PolicyRequest, decide

from .errors import HttpError

if TYPE_CHECKING:
    from pilotlight_gateway.auth.caller import Caller

    from .site import Match

__all__ = ["check_policy"]

_ACTIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")


def check_policy(match: Match, caller: Caller) -> None:
    """Raise HttpError unless a caller may; one without credentials has no account."""
    site = match.site
    needed = caller.account != match.account and (bool(caller.account) or site.needs_policy)
    if not needed and not site.policy:
        return
    for action in _ACTIONS:
        verdict = decide(site.policy, _request(match, caller, action))
        if verdict == "Deny" or (needed and verdict is None):
            raise HttpError(403)


def _request(match: Match, caller: Caller, action: str) -> PolicyRequest:
    context = {
        "aws:sourceip": match.request.source_ip,
        "lambda:functionurlauthtype": "AWS_IAM" if match.site.auth.type == "iam" else "NONE",
    }
    if action == "lambda:InvokeFunction":
        context["lambda:invokedviafunctionurl"] = "true"
    if not caller.account:
        return PolicyRequest(action, context=context)
    context |= {"aws:principalarn": caller.arn, "aws:principalaccount": caller.account}
    return PolicyRequest(action, caller.account, caller.arn, context)
