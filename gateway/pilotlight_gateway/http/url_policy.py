"""What policies say of who calls a function URL (Lambda Developer Guide, "Function URLs").

Both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` must be allowed, as on Lambda since
October 2025: by the caller's own policy, if its key has one, and by the function's. Of the latter
the account's own callers need no statement, only none that denies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.arn import function_arn
from pilotlight.policies import PolicyRequest, decide
from pilotlight_gateway.auth.permissions import context_of, identity_verdict

from .errors import HttpError

if TYPE_CHECKING:
    from pilotlight_gateway.auth.caller import Caller

    from .site import Match

__all__ = ["check_policy"]

_ACTIONS = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")


def check_policy(match: Match, caller: Caller) -> None:
    """Raise HttpError unless a caller may; one without credentials has no account."""
    site = match.site
    if caller.policy is not None:
        _ask_identity(match, caller)
    needed = caller.account != match.account and (bool(caller.account) or site.needs_policy)
    if not needed and not site.policy:
        return
    for action in _ACTIONS:
        verdict = decide(site.policy, _request(match, caller, action))
        if verdict == "Deny" or (needed and verdict is None):
            raise HttpError(403)


def _ask_identity(match: Match, caller: Caller) -> None:
    site = match.site
    arn = function_arn(match.region, match.account, site.function, site.qualifier)
    for action in _ACTIONS:
        if identity_verdict(caller, action, (arn,), _context(match, action)) != "Allow":
            raise HttpError(403)


def _request(match: Match, caller: Caller, action: str) -> PolicyRequest:
    context = _context(match, action)
    if not caller.account:
        return PolicyRequest(action, context=context)
    return PolicyRequest(action, caller.account, caller.arn, context | context_of(caller))


def _context(match: Match, action: str) -> dict[str, str]:
    context = {
        "aws:sourceip": match.request.source_ip,
        "lambda:functionurlauthtype": "AWS_IAM" if match.site.auth.type == "iam" else "NONE",
    }
    if action == "lambda:InvokeFunction":
        context["lambda:invokedviafunctionurl"] = "true"
    return context
