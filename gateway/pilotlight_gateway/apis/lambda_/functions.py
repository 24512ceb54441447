"""CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions and DeleteFunction.

They write and read the same resources as `kubectl`: the operator's function service does the rest.
Texts and codes: lambda.md 1.2.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pilotlight.errors import AlreadyExistsError, NotFoundError
from pilotlight.names import object_name
from pilotlight.resources import Function, Key, ObjectMeta
from pilotlight_gateway.errors import (
    InvalidParameterValueError,
    NotSupportedError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.invocation.reference import LATEST, Reference

from . import environment_secret
from .code_signing import check_signature, config_id
from .container_images import asks_for_image, image_code
from .file_systems import check_file_systems
from .function_code import keep_code, with_code_size
from .function_document import configuration, get_function_document, version_configuration
from .function_input import merge, parse_spec, refuse_unsupported
from .layers import check_layers
from .lookup import find, find_target_of
from .paging import paged
from .versions import delete_version, publish_when_settled
from .vpc import check_vpc
from .writing import modified_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "create_function",
    "delete_function",
    "get_function",
    "get_function_configuration",
    "list_functions",
]

PAGE = 50


async def create_function(services: Services, call: Call) -> Reply:
    """Make a function; it is Pending until the operator has seen it."""
    given = call.input
    reference = call.function
    refuse_unsupported(given)
    is_image = asks_for_image(given)
    if await services.catalogue.find(reference.namespace, reference.name):
        raise _exists(reference)
    # The spec is checked before anything is kept, with an address that every spec could have.
    code, size = image_code(given["Code"]) if is_image else {"zip": "0" * 64}, 0
    parse_spec(_spec(reference, given, code))
    environment_secret.check(given)
    check_layers(services, call, ())
    await check_file_systems(services, call)
    await check_vpc(services, call)
    signing = config_id(services, call, given.get("CodeSigningConfigArn"))
    check_signature(services, reference.namespace, signing)
    if not is_image:
        code["zip"], size = await keep_code(services, call, given["Code"])
    function = await _write(services, reference, given, code, signing)
    function = with_code_size(function, size)
    if given.get("Publish"):
        version = await publish_when_settled(services, call, function)
        # Of all answers about a version only this one has the function's own ARN, as on Lambda.
        document = await configuration(
            services, call, version.as_function(), version=version.number
        )
        return json_reply(document, 201)
    return json_reply(await configuration(services, call, function), 201)


async def get_function(services: Services, call: Call) -> Reply:
    """Return a function's configuration, code and tags."""
    reference, target = await find_target_of(services, call)
    return json_reply(await get_function_document(services, call, target, reference.qualifier))


async def get_function_configuration(services: Services, call: Call) -> Reply:
    """Return a function's configuration."""
    reference, target = await find_target_of(services, call)
    document = await configuration(
        services, call, target.described(), version=target.version, qualifier=reference.qualifier
    )
    return json_reply(document)


async def list_functions(services: Services, call: Call) -> Reply:
    """Return the account's functions by name, at most 50 a page."""
    if call.input.get("MasterRegion"):
        raise NotSupportedError("MasterRegion is not supported: there is no Lambda@Edge here.")
    found = services.catalogue.of(call.namespace)
    everything = call.input.get("FunctionVersion") == "ALL"
    page, marker = paged(sorted(found), call.input, most=PAGE, of=call.operation)
    documents: list[Awaitable[dict[str, Any]]] = []
    for name in page:
        documents.append(configuration(services, call, found[name], listed=True))
        if everything:
            documents += _listed_versions(services, call, found[name])
    # Together, for variables may have to be read.
    return json_reply({"Functions": await asyncio.gather(*documents)} | marker)


def _listed_versions(
    services: Services, call: Call, function: Function
) -> Iterator[Awaitable[dict[str, Any]]]:
    for version in services.published.versions(function.key):
        yield version_configuration(services, call, version, listed=True)


async def delete_function(services: Services, call: Call) -> Reply:
    """Delete a function and what it owns, or one version of it."""
    reference = call.function
    if reference.qualifier == LATEST:
        raise InvalidParameterValueError(
            "$LATEST version cannot be deleted without deleting the function."
        )
    if reference.qualifier is not None:
        return await delete_version(services, call, reference)
    function = await find(services, call)
    try:
        await services.resources.delete(Function, function.key)
    except NotFoundError as error:
        raise reference.not_found() from error
    return Reply(204)


async def _write(
    services: Services,
    reference: Reference,
    given: dict[str, Any],
    code: dict[str, Any],
    signing: str | None,
) -> Function:
    key = Key(reference.namespace, object_name(reference.name))
    spec = _spec(reference, given, code) | ({"codeSigningConfig": signing} if signing else {})
    # A Secret without its function is found by its label and dropped; the reverse would not start.
    spec |= await environment_secret.keep(services, key, given, spec.get("kmsKeyArn"))
    metadata = ObjectMeta(name=key.name, namespace=key.namespace, annotations=modified_now())
    function = Function(metadata=metadata, spec=parse_spec(spec))
    try:
        return await services.resources.create(function)
    except AlreadyExistsError as error:
        raise _exists(reference) from error


def _spec(reference: Reference, given: dict[str, Any], code: dict[str, Any]) -> dict[str, Any]:
    return merge({"functionName": reference.name, "code": code}, given)


def _exists(reference: Reference) -> ResourceConflictError:
    return ResourceConflictError(f"Function already exist: {reference.name}")
