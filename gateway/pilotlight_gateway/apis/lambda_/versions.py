"""PublishVersion, ListVersionsByFunction, and the versions that other operations make and delete.

What publishing means is `pilotlight.publishing`; the operator does it, too. Texts: lambda.md 1.2.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pilotlight.errors import ConflictError, NotFoundError
from pilotlight.publishing import publish
from pilotlight.resources import FunctionVersion
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    ResourceConflictError,
    ServiceError,
)
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.invocation.reference import LATEST

from .function_document import (
    configuration,
    in_progress,
    is_changing,
    version_configuration,
)
from .function_input import refuse_unsupported
from .lookup import find, find_unqualified
from .paging import paged
from .preconditions import check_revision_id, conflict

if TYPE_CHECKING:
    from pilotlight.resources import Function
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.services import Services

__all__ = [
    "delete_version",
    "find_version",
    "list_versions_by_function",
    "publish_version",
    "publish_when_settled",
]

PAGE = 50
SETTLE_SECONDS = 30.0
"""How long CreateFunction and UpdateFunctionCode with `Publish` may wait for what they publish."""


async def publish_version(services: Services, call: Call) -> Reply:
    """Make a version of $LATEST; gives the last one where nothing changed since."""
    refuse_unsupported(call.input)
    function = await find(services, call)
    check_revision_id(call, function)
    if in_progress(function) or function.status.configuration is None:
        raise conflict(services, call, function)
    document = await configuration(services, call, function)
    _check_code(call, document["CodeSha256"])
    version = await _publish(services, function, call.input.get("Description"))
    return json_reply(await version_configuration(services, call, version), 201)


async def publish_when_settled(
    services: Services, call: Call, function: Function
) -> FunctionVersion:
    """Publish a function that was just written, once it is served."""
    generation = function.metadata.generation

    def settled(now: Function | None) -> bool:
        return bool(now and now.metadata.generation >= generation and not is_changing(now))

    served = await services.catalogue.wait_until(function, settled, seconds=SETTLE_SECONDS)
    if served is None or is_changing(served) or served.status.state != "Active":
        raise ServiceError(
            f"Function {function.function_name} was written and is not served yet, so nothing was "
            "published: call PublishVersion once its LastUpdateStatus is Successful."
        )
    return await _publish(services, served, call.input.get("Description"))


async def list_versions_by_function(services: Services, call: Call) -> Reply:
    """Return $LATEST and the versions, oldest first, at most 50 a page."""
    function = await find_unqualified(services, call)
    versions = services.published.versions(function.key)
    # Names whose order is the versions' own; $LATEST sorts first.
    found: dict[str, FunctionVersion | None] = {LATEST: None}
    found |= {f"{version.spec.version:012d}": version for version in versions}
    page, marker = paged(sorted(found), call.input, most=PAGE, of=call.operation)
    listed = (_listed(services, call, function, found[name]) for name in page)
    documents = await asyncio.gather(*listed)  # together, for variables may have to be read
    return json_reply({"Versions": documents} | marker)


async def find_version(
    services: Services, reference: Reference, function: Function, number: str
) -> FunctionVersion:
    """Return a version; raises ResourceNotFoundException."""
    version = await services.published.version(function.key, number)
    if version is not None:
        return version
    raise FunctionNotFoundError(f"Function not found: {reference.unqualified_arn}:{number}")


async def delete_version(services: Services, call: Call, reference: Reference) -> Reply:
    """Delete a version, if it is there; ResourceConflictException where an alias means it."""
    function = await find_unqualified(services, call)
    number = reference.qualifier or ""
    if not number.isdigit():
        raise InvalidParameterValueError("Deletion of aliases is not currently supported.")
    version = await services.published.version(function.key, number)
    if version is None:  # Lambda deletes what is not there, too
        return Reply(204)
    users = [
        one.spec.alias
        for one in services.published.aliases(function.key)
        if version.number in {one.spec.version, *one.spec.weights}
    ]
    if users:
        raise ResourceConflictError(
            "Unable to delete version because the following aliases reference it: "
            f"[{', '.join(users)}]"
        )
    try:
        await services.resources.delete(FunctionVersion, version.key)
    except NotFoundError as error:
        raise reference.not_found() from error
    return Reply(204)


async def _publish(
    services: Services, function: Function, description: str | None
) -> FunctionVersion:
    try:
        return await publish(services.cache, function, description=description)
    except ConflictError as error:
        raise ResourceConflictError(str(error)) from error


def _check_code(call: Call, current: str) -> None:
    wanted = call.input.get("CodeSha256")
    if wanted and wanted != current:
        raise InvalidParameterValueError(
            f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in {LATEST} ({current}). "
            f"Please try again with the CodeSHA256 in {LATEST}."
        )


async def _listed(
    services: Services, call: Call, function: Function, version: FunctionVersion | None
) -> dict[str, Any]:
    if version is None:
        return await configuration(services, call, function, qualifier=LATEST, listed=True)
    return await version_configuration(services, call, version, listed=True)
