"""Resource policies: statement by statement, and as whole documents, which are views of one list.

A function, each of its versions and each alias has one of its own. Texts: lambda.md 1.2;
`pilotlight.policies` reads, writes and judges; `authorisation` and function URLs ask it.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pilotlight.policies import parse_document, render_document, render_statement
from pilotlight.resources import (
    Function,
    FunctionAlias,
    FunctionVersion,
    LayerVersion,
    PolicyStatement,
)
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    NotSupportedError,
    PolicyLengthExceededError,
    PreconditionFailedError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.invocation.reference import LATEST

from .aliases import find_alias
from .inputs import parse_as
from .lookup import find_named
from .versions import find_version
from .writing import write_changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.services import Services

    Holder = Function | FunctionVersion | FunctionAlias | LayerVersion
    Statements = list[PolicyStatement]

__all__ = [
    "add_permission",
    "changed_policy",
    "delete_resource_policy",
    "get_policy",
    "get_resource_policy",
    "policy_revision_id",
    "put_resource_policy",
    "remove_permission",
]

LARGEST = 20_480
"""Bytes of a policy."""
_SERVICE = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com|alexa\.com|aws\.internal)")
_CONDITIONS = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
}


async def add_permission(services: Services, call: Call) -> Reply:
    """Add a statement that allows."""
    reference, holder = await _of_function(services, call)
    statement = _statement(call.input)

    def added(statements: Statements) -> Statements:
        if any(one.sid == statement.sid for one in statements):
            raise ResourceConflictError(
                f"The statement id ({statement.sid}) provided already exists. Please provide a "
                "new statement id, or remove the existing statement."
            )
        return [*statements, statement]

    await changed_policy(services, call, reference.arn, holder, added)
    rendered = json.dumps(render_statement(statement, reference.arn), separators=(",", ":"))
    return json_reply({"Statement": rendered}, 201)


async def remove_permission(services: Services, call: Call) -> Reply:
    """Take a statement away."""
    reference, holder = await _of_function(services, call)
    sid = call.input["StatementId"]

    def removed(statements: Statements) -> Statements:
        others = [one for one in statements if one.sid != sid]
        if len(others) == len(statements):
            raise FunctionNotFoundError(f"Statement {sid} is not found in resource policy.")
        return others

    await changed_policy(services, call, reference.arn, holder, removed)
    return Reply(204)


async def get_policy(services: Services, call: Call) -> Reply:
    """Return the whole policy."""
    reference, holder = await _of_function(services, call)
    return json_reply(_document(reference, _there(holder)))


async def put_resource_policy(services: Services, call: Call) -> Reply:
    """Put a whole policy in the place of what there is."""
    reference, holder = await _of_arn(services, call)
    statements = parse_document(call.input["Policy"], reference.arn)
    changed = await changed_policy(services, call, reference.arn, holder, lambda _: statements)
    return json_reply(_document(reference, changed))


async def get_resource_policy(services: Services, call: Call) -> Reply:
    """Return the whole policy of an ARN."""
    reference, holder = await _of_arn(services, call)
    return json_reply(_document(reference, _there(holder)))


async def delete_resource_policy(services: Services, call: Call) -> Reply:
    """Take the whole policy away."""
    reference, holder = await _of_arn(services, call)
    _there(holder)
    await changed_policy(services, call, reference.arn, holder, lambda _: [])
    return Reply(204)


def _statement(given: dict[str, Any]) -> PolicyStatement:
    if given.get("PrincipalOrgID"):
        raise NotSupportedError("PrincipalOrgID is not supported: there are no organisations here.")
    conditions: dict[str, dict[str, list[str]]] = {}
    for member, (operator, key) in _CONDITIONS.items():
        if given.get(member) is not None:
            value = given[member]
            text = str(value).lower() if isinstance(value, bool) else value
            conditions.setdefault(operator, {})[key] = [text]
    return parse_as(
        PolicyStatement,
        {
            "sid": given["StatementId"],
            "principals": _principals(given["Principal"]),
            "actions": [given["Action"]],
            "conditions": conditions,
        },
    )


def _principals(given: str) -> dict[str, list[str]]:
    if given == "*" or re.fullmatch(r"\d{12}|arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+", given):
        return {"AWS": [given]}
    if _SERVICE.fullmatch(given):
        return {"Service": [given]}
    raise InvalidParameterValueError(
        f"The provided principal was invalid. Please check the principal and try again: {given!r}"
    )


async def _of_function(services: Services, call: Call) -> tuple[Reference, Holder]:
    return await _holder(services, call, call.function)


async def _of_arn(services: Services, call: Call) -> tuple[Reference, Holder]:
    """Return what a `ResourceArn` names: a function, a version or an alias."""
    arn = unquote(call.input["ResourceArn"])
    if ":function:" not in arn:
        raise NotSupportedError(f"Policies of {arn} are not supported: those of functions are.")
    return await _holder(services, call, call.function)


async def _holder(services: Services, call: Call, reference: Reference) -> tuple[Reference, Holder]:
    qualifier = reference.qualifier
    function = await find_named(services, reference)
    if qualifier == LATEST:
        raise InvalidParameterValueError("We currently do not support adding policies for $LATEST.")
    if qualifier is None:
        return reference, function
    if qualifier.isdigit():
        return reference, await find_version(services, reference, function, qualifier)
    return reference, await find_alias(services, call, function, qualifier)


def _there(holder: Holder) -> Statements:
    if not holder.spec.policy:
        raise FunctionNotFoundError("The resource you requested does not exist.")
    return holder.spec.policy


def _document(reference: Reference, statements: Statements) -> dict[str, str]:
    policy = render_document(statements, reference.arn)
    return {"Policy": policy, "RevisionId": policy_revision_id(reference.arn, statements)}


def policy_revision_id(arn: str, statements: Statements) -> str:
    """Return another id after each change, and the same for both views."""
    said = json.dumps([one.to_json() for one in statements], sort_keys=True)
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{arn} {said}"))


async def changed_policy(
    services: Services,
    call: Call,
    arn: str,
    holder: Holder,
    change: Callable[[Statements], Statements],
) -> Statements:
    """Write a change of a policy and return what it is then.

    Raises PreconditionFailedException and PolicyLengthExceededException.
    """

    def changed(now: Any) -> Any:
        _check_revision_id(call, arn, now.spec.policy)
        statements = change(now.spec.policy)
        size = len(render_document(statements, arn))
        if size > LARGEST:
            raise PolicyLengthExceededError(
                f"The final policy size ({size}) is bigger than the limit ({LARGEST})."
            )
        return now.model_copy(update={"spec": now.spec.model_copy(update={"policy": statements})})

    written = await write_changed(services.resources, holder, changed)
    statements: Statements = written.spec.policy
    return statements


def _check_revision_id(call: Call, arn: str, statements: Statements) -> None:
    wanted = call.input.get("RevisionId")
    if wanted and wanted != policy_revision_id(arn, statements):
        raise PreconditionFailedError(
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy "
            "API to retrieve the latest Revision Id"
        )
