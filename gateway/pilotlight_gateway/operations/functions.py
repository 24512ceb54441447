"""CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions and DeleteFunction.

They write and read the same resources as `kubectl`: the operator's function service does the rest.
Texts and codes: lambda.md 1.2.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from pilotlight.errors import AlreadyExistsError, NotFoundError
from pilotlight.names import object_name
from pilotlight.resources import Function, Key, ObjectMeta
from pilotlight_gateway.api.reference import LATEST, Reference, resolve
from pilotlight_gateway.errors import (
    InvalidParameterValueError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply

from . import environment_secret
from .function_code import keep_code
from .function_document import configuration, get_function_document
from .function_input import merge, parse_spec, refuse_unsupported

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "create_function",
    "delete_function",
    "find",
    "get_function",
    "get_function_configuration",
    "list_functions",
]

PAGE = 50


async def create_function(services: Services, call: Call) -> Reply:
    """Make a function; it is Pending until the operator has seen it."""
    given = call.input
    reference = resolve(
        given["FunctionName"], call.caller, services.settings.region, "CreateFunction"
    )
    refuse_unsupported(given)
    if given.get("PackageType") == "Image":
        raise InvalidParameterValueError("PackageType Image is not supported yet: send a Zip.")
    if await services.catalogue.find(reference.namespace, reference.name):
        raise _exists(reference)
    # The spec is checked before anything is kept, with an address that every spec could have.
    parse_spec(_spec(reference, given, "0" * 64))
    environment_secret.check(given)
    sha256, size = await keep_code(services.artifacts, given["Code"])
    function = await _write(services, reference, given, sha256)
    function.status.code_size = size
    return json_reply(await configuration(services, call, function), 201)


async def get_function(services: Services, call: Call) -> Reply:
    """Give a function's configuration, code and tags."""
    function = await find(services, call, "GetFunction")
    return json_reply(await get_function_document(services, call, function))


async def get_function_configuration(services: Services, call: Call) -> Reply:
    """Give a function's configuration."""
    function = await find(services, call, "GetFunctionConfiguration")
    return json_reply(await configuration(services, call, function))


async def list_functions(services: Services, call: Call) -> Reply:
    """Give the account's functions by name, at most 50 a page."""
    functions = await services.resources.list(Function, call.caller.namespace)
    functions.sort(key=lambda function: function.function_name)
    after = _marker(call.input.get("Marker"))
    rest = [function for function in functions if function.function_name > after]
    page = rest[: min(int(call.input.get("MaxItems") or PAGE), PAGE)]
    document: dict[str, Any] = {
        "Functions": [
            await configuration(services, call, function, listed=True) for function in page
        ]
    }
    if len(page) < len(rest):
        last = page[-1].function_name
        document["NextMarker"] = base64.urlsafe_b64encode(last.encode()).decode()
    return json_reply(document)


async def delete_function(services: Services, call: Call) -> Reply:
    """Delete a function; what it owns goes with it."""
    function = await find(services, call, "DeleteFunction")
    if call.input.get("Qualifier"):
        raise InvalidParameterValueError(
            "$LATEST version cannot be deleted without deleting the function."
        )
    try:
        await services.resources.delete(Function, function.key)
    except NotFoundError as error:
        raise _reference(services, call, "DeleteFunction").not_found() from error
    return Reply(204)


async def find(services: Services, call: Call, operation: str) -> Function:
    """Read the function that a request names from the store; raises ResourceNotFoundException."""
    reference = _reference(services, call, operation)
    if reference.qualifier not in {None, LATEST}:
        raise reference.not_found()
    key = await services.catalogue.key_of(reference.namespace, reference.name)
    try:
        return await services.resources.get(Function, key)
    except NotFoundError as error:
        raise reference.not_found() from error


def _reference(services: Services, call: Call, operation: str) -> Reference:
    return resolve(
        call.parameters["FunctionName"],
        call.caller,
        services.settings.region,
        operation,
        call.query.get("Qualifier"),
    )


async def _write(
    services: Services, reference: Reference, given: dict[str, Any], sha256: str
) -> Function:
    key = Key(reference.namespace, object_name(reference.name))
    spec = _spec(reference, given, sha256)
    # A Secret without its function is found by its label and dropped; the reverse would not start.
    spec |= await environment_secret.keep(services.resources, key, given)
    function = Function(
        metadata=ObjectMeta(name=key.name, namespace=key.namespace), spec=parse_spec(spec)
    )
    try:
        return await services.resources.create(function)
    except AlreadyExistsError as error:
        raise _exists(reference) from error


def _spec(reference: Reference, given: dict[str, Any], sha256: str) -> dict[str, Any]:
    return merge({"functionName": reference.name, "code": {"zip": sha256}}, given)


def _exists(reference: Reference) -> ResourceConflictError:
    return ResourceConflictError(f"Function already exist: {reference.name}")


def _marker(text: str | None) -> str:
    if not text:
        return ""
    try:
        return base64.urlsafe_b64decode(text.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidParameterValueError(f"Marker {text!r} is none that was given here") from error
