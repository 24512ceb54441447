"""What must hold before a resource is changed: the RevisionId that was given, nothing in progress.

Texts: lambda.md 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.arn import function_arn
from pilotlight_gateway.errors import (
    InvalidParameterValueError,
    PreconditionFailedError,
    ResourceConflictError,
)

from .function_document import revision_id

if TYPE_CHECKING:
    from pilotlight.resources import Function, Resource
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["check_revision_id", "conflict", "refuse_tenants"]


def check_revision_id(call: Call, resource: Resource) -> None:
    """Raise PreconditionFailedException where a RevisionId came that is not the latest."""
    wanted = call.input.get("RevisionId")
    if wanted and wanted != revision_id(resource):
        raise PreconditionFailedError(
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id"
        )


def refuse_tenants(function: Function, what: str) -> None:
    """Raise InvalidParameterValueException where a function isolates tenants.

    AWS Lambda Developer Guide, "Tenant isolation", says what does not go with it: whatever calls
    without naming a tenant, or starts environments before one is known.
    """
    if function.spec.tenant_isolation_mode is not None:
        raise InvalidParameterValueError(
            f"{what} is not supported for functions with tenant isolation: {function.function_name}"
        )


def conflict(services: Services, call: Call, function: Function) -> ResourceConflictError:
    """Make the error that says a function is being made or changed."""
    arn = function_arn(services.settings.region, call.account, function.function_name)
    if function.status.revision is None:
        return ResourceConflictError(
            "The operation cannot be performed at this time. The function is currently in the "
            f"following state: {function.status.state}"
        )
    return ResourceConflictError(
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{arn}"
    )
