"""Whether a caller may do what it asks for: the pipeline's step after authentication.

First the caller's own policy, if its key has one, for every operation of every API. Then, where it
asks for a function, the policy of that function, version or alias: a statement that denies stops
every caller, and who is of another account may do what a statement allows, and nothing else. Such
a caller is told the same of a function that is there and of one that is not. From the policy itself
nobody is kept who may do everything in its account, as AWS keeps no root user from a bucket's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pilotlight.accounts import namespace_of
from pilotlight.policies import PolicyRequest, decide

from .auth.permissions import context_of, denied, identity_verdict
from .errors import FunctionNotFoundError

if TYPE_CHECKING:
    from pilotlight.policies import Verdict
    from pilotlight.resources import PolicyStatement

    from .access import Access, AccessOf
    from .errors import AccessDeniedError
    from .exchange import Call
    from .invocation.reference import Reference
    from .invocation.targets import Target
    from .services import Services

__all__ = ["authorise"]


async def authorise(services: Services, call: Call, access_of: AccessOf) -> None:
    """Let a call go on, with the function that it is about; raises AccessDeniedError."""
    asked = access_of(services, call)
    if call.caller.policy is not None:
        for access in asked:
            _ask_identity(call, access)
    if not asked or (reference := asked[0].function) is None:
        return
    if not reference.namespace:
        reference = _of_other_account(services, call, asked[0], reference)
    call.reference = reference
    call.target = target = services.targets.known(reference) or await _find(services, reference)
    policy = target.policy if target else ()
    if policy or reference is not asked[0].function:
        _ask_function(call, asked[0], policy)


def _ask_identity(call: Call, access: Access) -> None:
    caller = call.caller
    context = {"aws:sourceip": call.source_ip} | dict(access.context)
    verdict = identity_verdict(caller, access.action, access.names, context)
    if verdict != "Allow":
        problem = caller.policy.problem if caller.policy else ""
        raise denied(
            caller.arn, access.action, access.names[0], "identity", verdict, problem=problem
        )


def _of_other_account(
    services: Services, call: Call, access: Access, reference: Reference
) -> Reference:
    """Return a reference with the namespace that it is in, which another account's lacks."""
    namespace = namespace_of(services.cache, reference.account) if access.is_shared else None
    if namespace is None:
        raise _refused(call, access, None)
    return replace(reference, namespace=namespace)


async def _find(services: Services, reference: Reference) -> Target | None:
    """Return what is named; where nothing is, who operates says so."""
    try:
        return await services.targets.find(reference)
    except FunctionNotFoundError:
        return None


def _ask_function(call: Call, access: Access, policy: tuple[PolicyStatement, ...]) -> None:
    caller = call.caller
    context = context_of(caller) | {"aws:sourceip": call.source_ip} | dict(access.context)
    request = PolicyRequest(access.action, caller.account, caller.arn, context)
    verdict = decide(policy, request)
    is_other = call.account != caller.account
    if access.is_of_policy and not is_other and caller.policy is None:
        return
    if verdict == "Deny" or (is_other and verdict is None):
        raise _refused(call, access, verdict)


def _refused(call: Call, access: Access, verdict: Verdict) -> AccessDeniedError:
    return denied(call.caller.arn, access.action, access.names[0], "resource", verdict)
