"""Policies of layers' versions: which other accounts may use one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pilotlight.policies import render_document, render_statement
from pilotlight.resources import PolicyStatement
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    NotSupportedError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply

from .inputs import parse_as
from .layers import find_version, layer_arn
from .permissions import changed_policy, policy_revision_id

if TYPE_CHECKING:
    from pilotlight.resources import LayerVersion
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

    Statements = list[PolicyStatement]

__all__ = [
    "add_layer_version_permission",
    "get_layer_version_policy",
    "remove_layer_version_permission",
]


async def add_layer_version_permission(services: Services, call: Call) -> Reply:
    """Let other accounts use a version."""
    layer, given = find_version(services, call), call.input
    if given.get("OrganizationId"):
        raise NotSupportedError("OrganizationId is not supported: there are no organisations here.")
    statement = parse_as(
        PolicyStatement,
        {
            "sid": given["StatementId"],
            "principals": {"AWS": [given["Principal"]]},
            "actions": [given["Action"]],
        },
    )

    def added(statements: Statements) -> Statements:
        if any(one.sid == statement.sid for one in statements):
            raise ResourceConflictError(
                f"The statement id ({statement.sid}) provided already exists. Please provide a "
                "new statement id, or remove the existing statement."
            )
        return [*statements, statement]

    arn = _arn(services, call, layer)
    statements = await changed_policy(services, call, arn, layer, added)
    rendered = json.dumps(render_statement(statement, arn), separators=(",", ":"))
    revision = policy_revision_id(arn, statements)
    return json_reply({"Statement": rendered, "RevisionId": revision}, 201)


async def get_layer_version_policy(services: Services, call: Call) -> Reply:
    """Return the whole policy of a version."""
    layer = find_version(services, call)
    statements = layer.spec.policy
    if not statements:
        raise FunctionNotFoundError("No policy is associated with the given resource.")
    arn = _arn(services, call, layer)
    revision = policy_revision_id(arn, statements)
    return json_reply({"Policy": render_document(statements, arn), "RevisionId": revision})


async def remove_layer_version_permission(services: Services, call: Call) -> Reply:
    """Take a statement away."""
    layer, sid = find_version(services, call), call.input["StatementId"]

    def removed(statements: Statements) -> Statements:
        others = [one for one in statements if one.sid != sid]
        if len(others) == len(statements):
            raise FunctionNotFoundError(f"Statement {sid} is not found in resource policy.")
        return others

    await changed_policy(services, call, _arn(services, call, layer), layer, removed)
    return Reply(204)


def _arn(services: Services, call: Call, layer: LayerVersion) -> str:
    return f"{layer_arn(services, call, layer.spec.layer)}:{layer.spec.version}"
