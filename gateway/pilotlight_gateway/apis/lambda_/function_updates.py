"""UpdateFunctionCode and UpdateFunctionConfiguration: a change of the spec, checked as a whole.

The revision that serves goes on serving until the operator has made the new one and every gateway
routes to it; meanwhile LastUpdateStatus is InProgress and further updates conflict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.errors import ConflictError
from pilotlight.names import MODIFIED_ANNOTATION
from pilotlight_gateway.exchange import Reply, json_reply

from . import environment_secret
from .code_signing import check_signature
from .container_images import check_code_of, check_members, image_code
from .file_systems import check_file_systems
from .function_code import keep_code, with_code_size
from .function_document import configuration, in_progress, version_configuration
from .function_input import merge, parse_spec, refuse_unsupported
from .layers import check_layers
from .lookup import find
from .preconditions import check_revision_id, conflict
from .versions import publish_when_settled
from .vpc import check_vpc
from .writing import modified_now

if TYPE_CHECKING:
    from pilotlight.resources import Function
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["update_function_code", "update_function_configuration"]


async def update_function_code(services: Services, call: Call) -> Reply:
    """Give a function other code; `DryRun` only checks."""
    function = await _changeable(services, call)
    dry_run = bool(call.input.get("DryRun"))
    check_signature(services, function.metadata.namespace, function.spec.code_signing_config)
    code, size = await _code(services, call, function, dry_run=dry_run)
    spec = merge(function.spec.to_json(), call.input) | {"code": code}
    parse_spec(spec)
    if not dry_run:
        function = with_code_size(await _write(services, call, function, spec), size)
        if call.input.get("Publish"):
            version = await publish_when_settled(services, call, function)
            return json_reply(await version_configuration(services, call, version))
    return json_reply(await configuration(services, call, function))


async def update_function_configuration(services: Services, call: Call) -> Reply:
    """Change some of a function's configuration; what is not named stays."""
    function = await _changeable(services, call)
    check_members(call.input, is_image=function.spec.code.image is not None)
    check_layers(services, call, function.spec.layers)
    await check_file_systems(services, call)
    await check_vpc(services, call)
    spec = merge(function.spec.to_json(), call.input)
    parse_spec(spec)
    environment_secret.check(call.input)
    given, key_arn = dict(call.input), spec.get("kmsKeyArn")
    if "Environment" not in given and key_arn != function.spec.kms_key_arn:
        known = await environment_secret.read(services, function)
        given |= {} if known is None else {"Environment": {"Variables": known}}
    spec |= await environment_secret.keep(services, function.key, given, key_arn)
    function = await _write(services, call, function, spec)
    return json_reply(await configuration(services, call, function))


async def _code(
    services: Services, call: Call, function: Function, *, dry_run: bool
) -> tuple[dict[str, Any], int]:
    """Return what a spec says of the code that came, and its size."""
    if check_code_of(function, call.input):
        # As on Lambda the tag is asked for again, though it be the same.
        return image_code(call.input) | {"imageRefresh": modified_now()[MODIFIED_ANNOTATION]}, 0
    sha256, size = await keep_code(services, call, call.input, dry_run=dry_run)
    return {"zip": sha256}, size


async def _changeable(services: Services, call: Call) -> Function:
    function = await find(services, call)
    refuse_unsupported(call.input)
    check_revision_id(call, function)
    if in_progress(function):
        raise conflict(services, call, function)
    return function


async def _write(
    services: Services, call: Call, function: Function, spec: dict[str, Any]
) -> Function:
    changed = function.model_copy(update={"spec": parse_spec(spec)}, deep=True)
    changed.metadata.annotations |= modified_now()
    try:
        return await services.resources.replace(changed)
    except ConflictError as error:
        raise conflict(services, call, function) from error
