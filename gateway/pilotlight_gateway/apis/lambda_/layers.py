"""Layers: published, read, listed and deleted, a version at a time (lambda.md 1.2).

`pilotlight.layers` says which a function may have; agents lay their files into /opt.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight.arn import parse_layer_version_arn
from pilotlight.errors import AlreadyExistsError, NotFoundError
from pilotlight.layers import find_layer_version
from pilotlight.names import object_name, version_object_name
from pilotlight.resources import (
    LAYER_VERSIONS_BY_LAYER,
    LayerVersion,
    LayerVersionSpec,
    ObjectMeta,
)
from pilotlight.tickets import ticket_for
from pilotlight_gateway.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply
from pilotlight_wire.archive import UNPACKED_LIMIT, unpacked_size

from .function_code import lend_package, one_piece
from .inputs import parse_as
from .paging import paged
from .writing import write_changed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "check_layers",
    "delete_layer_version",
    "find_version",
    "get_layer_version",
    "get_layer_version_by_arn",
    "layer_arn",
    "list_layer_versions",
    "list_layers",
    "publish_layer_version",
]

PAGE = 50
TRIES = 5


async def publish_layer_version(services: Services, call: Call) -> Reply:
    """Keep an archive as the next version of a layer."""
    given, name = call.input, _name(services, call)
    async with lend_package(services, given["Content"], call.caller) as package:
        sha256, size = hashlib.sha256(package).hexdigest(), len(package)
        unpacked = unpacked_size(package)
        await services.artifacts.put(sha256, one_piece(package))
    await services.artifacts.note_owner(sha256, call.namespace)
    spec = {
        "layer": name,
        "version": 1,
        "description": given.get("Description", ""),
        "licenseInfo": given.get("LicenseInfo", ""),
        "compatibleRuntimes": given.get("CompatibleRuntimes", []),
        "compatibleArchitectures": given.get("CompatibleArchitectures", []),
        "codeSha256": sha256,
        "codeSize": size,
        "unpackedSize": unpacked,
        "created": _now(),
    }
    made = await _make(services, call, parse_as(LayerVersionSpec, spec))
    return json_reply(_document(services, call, made, content=True), 201)


async def _make(services: Services, call: Call, spec: LayerVersionSpec) -> LayerVersion:
    """Write the version by the next number; another may have taken it meanwhile."""
    namespace = call.namespace
    number = max((one.spec.version for one in _versions(services, call, spec.layer)), default=0)
    for _ in range(TRIES):
        number += 1
        name = version_object_name(object_name(spec.layer), number)
        metadata = ObjectMeta(name=name, namespace=namespace)
        wanted = spec.model_copy(update={"version": number})
        try:
            return await services.resources.create(LayerVersion(metadata=metadata, spec=wanted))
        except AlreadyExistsError:
            continue
    raise ResourceConflictError(f"Many publish versions of {spec.layer} at once; try again.")


async def get_layer_version(services: Services, call: Call) -> Reply:
    """Return a version, with an address of its archive that works for ten minutes."""
    return json_reply(_document(services, call, find_version(services, call), content=True))


async def get_layer_version_by_arn(services: Services, call: Call) -> Reply:
    """Return a version by its ARN, also of an account whose policy lets it be used."""
    found = _usable(services, call, call.input["Arn"])
    if found is None or found.spec.deleted:
        raise FunctionNotFoundError("The resource you requested does not exist.")
    return json_reply(_document(services, call, found, content=True))


async def list_layers(services: Services, call: Call) -> Reply:
    """Return the account's layers by name, each with its newest version that fits."""
    newest: dict[str, LayerVersion] = {}
    for one in services.cache.all(LayerVersion, call.namespace):
        known = newest.get(one.spec.layer)
        if _fits(one, call.input) and (known is None or known.spec.version < one.spec.version):
            newest[one.spec.layer] = one
    page, marker = paged(sorted(newest), call.input, most=PAGE, of=call.operation)
    layers = [
        {
            "LayerName": name,
            "LayerArn": layer_arn(services, call, name),
            "LatestMatchingVersion": _document(services, call, newest[name]),
        }
        for name in page
    ]
    return json_reply({"Layers": layers} | marker)


async def list_layer_versions(services: Services, call: Call) -> Reply:
    """Return a layer's versions, the newest first."""
    found = {
        f"{10**9 - one.spec.version:09d}": one
        for one in _versions(services, call, _name(services, call))
        if _fits(one, call.input)
    }
    page, marker = paged(sorted(found), call.input, most=PAGE, of=call.operation)
    versions = [_document(services, call, found[place]) for place in page]
    return json_reply({"LayerVersions": versions} | marker)


async def delete_layer_version(services: Services, call: Call) -> Reply:
    """Let nobody new use a version; one that is not there is deleted already."""
    try:
        found = find_version(services, call)
        await write_changed(services.resources, found, _deleted)
    except (FunctionNotFoundError, NotFoundError):
        return Reply(204)
    return Reply(204)


def _deleted(layer: LayerVersion) -> LayerVersion:
    spec = layer.spec.model_copy(update={"deleted": True, "policy": []})
    return layer.model_copy(update={"spec": spec})


def check_layers(services: Services, call: Call, had: Collection[str]) -> None:
    """Raise InvalidParameterValueException where layers are named that a function cannot have.

    `had` are those that it has: of these a deleted version stays.
    """
    unpacked = 0
    for arn in call.input.get("Layers") or ():
        found = _usable(services, call, arn)
        if found is None or (found.spec.deleted and arn not in had):
            raise InvalidParameterValueError(f"Layer version {arn} does not exist.")
        unpacked += found.spec.unpacked_size
    if unpacked > UNPACKED_LIMIT:
        raise InvalidParameterValueError(
            f"Function code combined with layers exceeds the maximum allowed size of "
            f"{UNPACKED_LIMIT} bytes. The actual size is {unpacked} bytes."
        )


def _usable(services: Services, call: Call, arn: str) -> LayerVersion | None:
    region, account = services.settings.region, call.account
    try:
        return find_layer_version(services.cache, arn, region=region, account=account)
    except NotFoundError:
        return None


def find_version(services: Services, call: Call) -> LayerVersion:
    """Return the account's own version that a request names; raises ResourceNotFoundException."""
    name, number = _name(services, call), int(call.input["VersionNumber"])
    if number < 1:
        raise InvalidParameterValueError("Layer Version Cannot be less than 1.")
    for one in _versions(services, call, name):
        if one.spec.version == number and not one.spec.deleted:
            return one
    raise FunctionNotFoundError("The resource you requested does not exist.")


def _versions(services: Services, call: Call, name: str) -> list[LayerVersion]:
    return services.cache.by(LAYER_VERSIONS_BY_LAYER, (call.namespace, name))


def _name(services: Services, call: Call) -> str:
    """Return the layer's name, which its ARN may stand for."""
    given = str(call.input["LayerName"])
    own = layer_arn(services, call, "")
    if given.startswith("arn:") and not given.startswith(own):
        raise FunctionNotFoundError("The resource you requested does not exist.")
    return given.removeprefix(own)


def _fits(layer: LayerVersion, given: Mapping[str, Any]) -> bool:
    runtime, architecture = given.get("CompatibleRuntime"), given.get("CompatibleArchitecture")
    spec = layer.spec
    return (
        not spec.deleted
        and (runtime is None or runtime in spec.compatible_runtimes)
        and (architecture is None or architecture in spec.compatible_architectures)
    )


def layer_arn(services: Services, call: Call, name: str) -> str:
    """Return the ARN of one of the account's layers."""
    return f"arn:aws:lambda:{services.settings.region}:{call.account}:layer:{name}"


def _document(
    services: Services, call: Call, layer: LayerVersion, *, content: bool = False
) -> dict[str, Any]:
    spec = layer.spec
    arn = f"{_arn_of_layer(services, call, layer)}:{spec.version}"
    document: dict[str, Any] = {
        "LayerVersionArn": arn,
        "Version": spec.version,
        "Description": spec.description,
        "CreatedDate": spec.created,
    }
    if spec.license_info:
        document["LicenseInfo"] = spec.license_info
    if spec.compatible_runtimes:
        document["CompatibleRuntimes"] = spec.compatible_runtimes
    if spec.compatible_architectures:
        document["CompatibleArchitectures"] = spec.compatible_architectures
    if not content:
        return document
    ticket = ticket_for(services.settings.platform_key, spec.code_sha256)
    return document | {
        "LayerArn": arn.rpartition(":")[0],
        "Content": {
            "Location": f"{call.origin}/-/artifacts/{spec.code_sha256}?ticket={ticket}",
            "CodeSha256": base64.b64encode(bytes.fromhex(spec.code_sha256)).decode(),
            "CodeSize": spec.code_size,
        },
    }


def _arn_of_layer(services: Services, call: Call, layer: LayerVersion) -> str:
    """Return a layer's ARN, which is of another account where a policy lets it be read."""
    named = parse_layer_version_arn(str(call.input.get("Arn", "")))
    account = call.account if named is None else named.account
    return f"arn:aws:lambda:{services.settings.region}:{account}:layer:{layer.spec.layer}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
