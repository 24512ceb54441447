"""What a caller's own policy says of what it asks for, and how a refusal is worded.

`pilotlight_gateway.authorisation` asks for every operation of every API, `http` for function URLs
and routes. The words are AWS's (IAM User Guide, "Troubleshoot access denied error messages").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pilotlight_gateway.errors import AccessDeniedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.policies import Verdict

    from .caller import Caller

__all__ = ["context_of", "denied", "identity_verdict"]

Side = Literal["identity", "resource"]
_PARTS, _ACCOUNT = 6, 4
"""Of an ARN, and which of them is the account."""
_ARTICLES: dict[Side, str] = {"identity": "an", "resource": "a"}


def identity_verdict(
    caller: Caller, action: str, names: tuple[str, ...], context: Mapping[str, str]
) -> Verdict:
    """Say what a caller's policy decides about a resource, which is named in several ways."""
    if caller.policy is None:
        return "Allow"
    parts = names[0].split(":", _PARTS - 1)
    owner = parts[_ACCOUNT] if len(parts) == _PARTS else caller.account
    known = context_of(caller) | {"aws:resourceaccount": owner}
    return caller.policy.decide(action, names, known | dict(context))


def context_of(caller: Caller) -> dict[str, str]:
    """Return the condition keys that tell of a caller."""
    return {"aws:principalarn": caller.arn, "aws:principalaccount": caller.account}


def denied(  # noqa: PLR0913  what the sentence says
    who: str, action: str, resource: str, side: Side, verdict: Verdict, *, problem: str = ""
) -> AccessDeniedError:
    """Make the error of a request that is denied, or that nothing allows."""
    why = f"because no {side}-based policy allows the {action} action"
    if verdict == "Deny":
        why = f"with an explicit deny in {_ARTICLES[side]} {side}-based policy"
    if problem:
        why += f": the policy of its key cannot be read: {problem}"
    return AccessDeniedError(
        f"User: {who} is not authorized to perform: {action} on resource: {resource} {why}"
    )
