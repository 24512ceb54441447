"""CreateAlias, GetAlias, ListAliases, UpdateAlias and DeleteAlias.

They write and read `FunctionAlias` resources; gateways follow those. Texts: lambda.md 1.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pilotlight.arn import function_arn
from pilotlight.errors import (
    AlreadyExistsError,
    NotFoundError,
)
from pilotlight.names import FUNCTION_LABEL, alias_object_name, label_value
from pilotlight.resources import (
    FunctionAlias,
    FunctionAliasSpec,
    Key,
    ObjectMeta,
    owned_by,
)
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_gateway.invocation.reference import LATEST

from .function_document import revision_id
from .inputs import parse_as
from .lookup import find_unqualified
from .paging import paged
from .preconditions import check_revision_id
from .versions import find_version
from .writing import write_changed

if TYPE_CHECKING:
    from pilotlight.resources import Function
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "create_alias",
    "delete_alias",
    "find_alias",
    "get_alias",
    "list_aliases",
    "update_alias",
]

PAGE = 50


async def create_alias(services: Services, call: Call) -> Reply:
    """Make an alias of a version that is there."""
    name, version = str(call.input["Name"]), str(call.input["FunctionVersion"])
    try:
        function = await find_unqualified(services, call)
    except FunctionNotFoundError as error:  # which is told of with the version
        raise replace(call.function, qualifier=version).not_found() from error
    spec = await _parse(
        services, call, function, {"function": function.metadata.name, "alias": name}
    )
    metadata = ObjectMeta(
        name=alias_object_name(function.metadata.name, name),
        namespace=function.metadata.namespace,
        labels={FUNCTION_LABEL: label_value(function.metadata.name)},
    )
    alias = FunctionAlias(metadata=owned_by(metadata, function), spec=spec)
    try:
        alias = await services.resources.create(alias)
    except AlreadyExistsError as error:
        arn = _arn(services, call, alias, function.function_name)
        raise ResourceConflictError(f"Alias already exists: {arn}") from error
    return json_reply(await _document(services, call, function, alias), 201)


async def get_alias(services: Services, call: Call) -> Reply:
    """Return an alias."""
    function = await find_unqualified(services, call)
    alias = await find_alias(services, call, function, _name(call))
    return json_reply(await _document(services, call, function, alias))


async def list_aliases(services: Services, call: Call) -> Reply:
    """Return a function's aliases by name, or those of one version, at most 50 a page."""
    function = await find_unqualified(services, call)
    wanted = call.input.get("FunctionVersion")
    found = {
        one.spec.alias: one
        for one in services.published.aliases(function.key)
        if wanted in {None, one.spec.version, *one.spec.weights}
    }
    page, marker = paged(sorted(found), call.input, most=PAGE, of=call.operation)
    documents = [await _document(services, call, function, found[name]) for name in page]
    return json_reply({"Aliases": documents} | marker)


async def update_alias(services: Services, call: Call) -> Reply:
    """Change an alias; what is not named stays, an empty map of weights clears them."""
    function = await find_unqualified(services, call)
    alias = await find_alias(services, call, function, _name(call))
    check_revision_id(call, alias)
    await _parse(services, call, function, alias.spec.to_json())

    def change(alias: FunctionAlias) -> FunctionAlias:
        check_revision_id(call, alias)
        spec = parse_as(FunctionAliasSpec, alias.spec.to_json() | _given(call))
        return alias.model_copy(update={"spec": spec})

    alias = await write_changed(services.resources, alias, change)
    return json_reply(await _document(services, call, function, alias))


async def delete_alias(services: Services, call: Call) -> Reply:
    """Delete an alias; one that is not there is deleted already."""
    function = await find_unqualified(services, call)
    try:
        alias = await find_alias(services, call, function, _name(call))
        await services.resources.delete(FunctionAlias, alias.key)
    except (FunctionNotFoundError, NotFoundError):
        return Reply(204)
    return Reply(204)


async def find_alias(
    services: Services, call: Call, function: Function, name: str
) -> FunctionAlias:
    """Read an alias; raises ResourceNotFoundException."""
    known = await services.published.alias(function.key, name)
    key = known.key if known else _key(function, name)
    try:
        return await services.resources.get(FunctionAlias, key)
    except NotFoundError as error:
        arn = function_arn(services.settings.region, call.account, function.function_name, name)
        raise FunctionNotFoundError(f"Cannot find alias arn: {arn}") from error


def _name(call: Call) -> str:
    return str(call.input["Name"])


def _key(function: Function, name: str) -> Key:
    return Key(function.metadata.namespace, alias_object_name(function.metadata.name, name))


def _given(call: Call) -> dict[str, Any]:
    """Return the members of a spec that a request says."""
    given, routing = call.input, call.input.get("RoutingConfig")
    spec: dict[str, Any] = {}
    if given.get("FunctionVersion") is not None:
        spec["version"] = given["FunctionVersion"]
    if given.get("Description") is not None:
        spec["description"] = given["Description"]
    if routing is not None:
        spec["weights"] = routing.get("AdditionalVersionWeights") or {}
    return spec


async def _parse(
    services: Services, call: Call, function: Function, known: dict[str, Any]
) -> FunctionAliasSpec:
    """Lay what a request says over what is known; each version that it names must be there."""
    merged = known | _given(call)
    weights = merged.get("weights") or {}
    if len(weights) > 1:
        raise InvalidParameterValueError(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    if weights and merged["version"] == LATEST:
        raise InvalidParameterValueError(
            f"{LATEST} is not supported for an alias pointing to more than 1 version"
        )
    spec = parse_as(FunctionAliasSpec, merged)
    for number in (spec.version, *spec.weights):
        if number.isdigit():
            await find_version(services, call.function, function, number)
    return spec


async def _document(
    services: Services, call: Call, function: Function, alias: FunctionAlias
) -> dict[str, Any]:
    version = await services.targets.version_of_alias(function, alias)
    document: dict[str, Any] = {
        "AliasArn": _arn(services, call, alias, function.function_name),
        "Name": alias.spec.alias,
        "FunctionVersion": version.number if version else alias.spec.version,
        "Description": alias.spec.description,
        "RevisionId": revision_id(alias),
    }
    if alias.spec.weights:
        document["RoutingConfig"] = {"AdditionalVersionWeights": alias.spec.weights}
    return document


def _arn(services: Services, call: Call, alias: FunctionAlias, name: str) -> str:
    return function_arn(
        services.settings.region,
        call.account,
        name,
        alias.spec.alias,
    )
