"""The four operations of provisioned concurrency, on a version or on an alias.

The number is a field of the resource; the autoscaler keeps that many environments initialised and
the operator writes how far it is. Rules and texts: lambda.md 1.2 and AWS Lambda Developer Guide,
"Configuring provisioned concurrency".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn
from pilotlight.resources import Function, FunctionAlias, FunctionVersion, ProvisionedStatus
from pilotlight_gateway.errors import (
    InvalidParameterValueError,
    ProvisionedConcurrencyNotFoundError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.invocation.reference import LATEST

from .aliases import find_alias
from .lookup import find_unqualified
from .paging import paged
from .preconditions import refuse_tenants
from .unreserved import check_provision
from .versions import find_version
from .writing import write_field

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "delete_provisioned_concurrency",
    "get_provisioned_concurrency",
    "list_provisioned_concurrency",
    "put_provisioned_concurrency",
]

PAGE = 50
PROVISIONED = "provisioned_concurrency"
Qualified = FunctionVersion | FunctionAlias


async def put_provisioned_concurrency(services: Services, call: Call) -> Reply:
    """Ask for initialised environments of a version or an alias."""
    function = await find_unqualified(services, call)
    refuse_tenants(function, "Provisioned concurrency")
    resource = await _qualified(services, call, function)
    await _refuse_snap_start(services, function, resource)
    wanted = int(call.input["ProvisionedConcurrentExecutions"])
    everything = _provisioned(services, function)
    others = [one for one in everything if _qualifier(one) != _qualifier(resource)]
    _refuse_twice(resource, others)
    total = wanted + sum(one.spec.provisioned_concurrency or 0 for one in others)
    _check_room(services, function, total)
    resource = await write_field(services.resources, resource, PROVISIONED, wanted)
    return json_reply(_document(resource), 202)


async def get_provisioned_concurrency(services: Services, call: Call) -> Reply:
    """Say how far it is."""
    function = await find_unqualified(services, call)
    resource = await _qualified(services, call, function)
    if resource.spec.provisioned_concurrency is None:
        raise ProvisionedConcurrencyNotFoundError(
            "No Provisioned Concurrency Config found for this function"
        )
    return json_reply(_document(resource))


async def delete_provisioned_concurrency(services: Services, call: Call) -> Reply:
    """Ask for none any more; where none was asked for nothing happens."""
    function = await find_unqualified(services, call)
    resource = await _qualified(services, call, function)
    if resource.spec.provisioned_concurrency is not None:
        await write_field(services.resources, resource, PROVISIONED, None)
    return Reply(204)


async def list_provisioned_concurrency(services: Services, call: Call) -> Reply:
    """Return all of a function's, at most 50 a page."""
    function = await find_unqualified(services, call)
    found = {_qualifier(one): one for one in _provisioned(services, function)}
    page, marker = paged(sorted(found), call.input, most=PAGE, of=call.operation)
    region, account = services.settings.region, call.account
    documents = [
        {"FunctionArn": function_arn(region, account, function.function_name, name)}
        | _document(found[name])
        for name in page
    ]
    return json_reply({"ProvisionedConcurrencyConfigs": documents} | marker)


async def _qualified(services: Services, call: Call, function: Function) -> Qualified:
    reference = call.function
    qualifier = reference.qualifier or LATEST
    if qualifier == LATEST:
        raise _unpublished()
    if qualifier.isdigit():
        return await find_version(services, reference, function, qualifier)
    alias = await find_alias(services, call, function, qualifier)
    if alias.spec.version == LATEST:
        raise _unpublished()
    return alias


def _unpublished() -> InvalidParameterValueError:
    return InvalidParameterValueError(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )


def _provisioned(services: Services, function: Function) -> list[Qualified]:
    found: list[Qualified] = [
        *services.published.versions(function.key),
        *services.published.aliases(function.key),
    ]
    return [one for one in found if one.spec.provisioned_concurrency]


async def _refuse_snap_start(services: Services, function: Function, resource: Qualified) -> None:
    """Raise InvalidParameterValueException where both would start environments ahead."""
    version = (
        resource
        if isinstance(resource, FunctionVersion)
        else await services.targets.version_of_alias(function, resource)
    )
    if version is not None and version.spec.configuration.snap_start != "None":
        raise InvalidParameterValueError(
            "Provisioned Concurrency is not supported for SnapStart enabled functions."
        )


def _refuse_twice(resource: Qualified, others: list[Qualified]) -> None:
    """Refuse a version that is provisioned by its number and by an alias."""
    for one in others:
        for alias, version in ((one, resource), (resource, one)):
            if isinstance(alias, FunctionAlias) and alias.spec.version == _qualifier(version):
                raise ResourceConflictError(
                    "Alias can't be used for Provisioned Concurrency configuration on an already "
                    "Provisioned version"
                )


def _check_room(services: Services, function: Function, total: int) -> None:
    """Refuse more than the function reserves or, where it reserves nothing, its account has."""
    reserved = function.spec.reserved_concurrency
    if reserved is None:
        check_provision(services, function.key, total)
    elif total > reserved:
        raise InvalidParameterValueError(
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function"
        )


def _qualifier(resource: Qualified) -> str:
    return resource.number if isinstance(resource, FunctionVersion) else resource.spec.alias


def _document(resource: Qualified) -> dict[str, Any]:
    requested = resource.spec.provisioned_concurrency or 0
    status = resource.status.provisioned
    if status is None or status.requested != requested:
        status = ProvisionedStatus(
            requested=requested, last_modified=resource.metadata.creation_timestamp
        )
    document: dict[str, Any] = {
        "RequestedProvisionedConcurrentExecutions": requested,
        "AvailableProvisionedConcurrentExecutions": status.available,
        "AllocatedProvisionedConcurrentExecutions": status.allocated,
        "Status": status.status,
        "LastModified": (status.last_modified or "").replace("Z", "+0000"),
    }
    return document | ({"StatusReason": status.status_reason} if status.status_reason else {})
