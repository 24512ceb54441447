"""Code signing configurations, and which functions are checked by one (lambda.md 1.2).

Packages carry no signatures here, so `check_signature` trusts none: `Enforce` refuses them all.
"""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.arn import function_arn
from pilotlight.resources import (
    CodeSigningConfig,
    CodeSigningConfigSpec,
    Function,
    Key,
    ObjectMeta,
)
from pilotlight_gateway.errors import (
    CodeSigningConfigNotFoundError,
    CodeVerificationFailedError,
    FunctionNotFoundError,
    ResourceConflictError,
)
from pilotlight_gateway.exchange import Reply, json_reply

from .lookup import find
from .paging import paged
from .writing import write_changed, write_field

if TYPE_CHECKING:
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "check_signature",
    "config_id",
    "create_code_signing_config",
    "delete_code_signing_config",
    "delete_function_code_signing_config",
    "find_config",
    "get_code_signing_config",
    "get_function_code_signing_config",
    "list_code_signing_configs",
    "list_functions_by_code_signing_config",
    "put_function_code_signing_config",
    "update_code_signing_config",
]

PAGE = 50
_ID_DIGITS = string.ascii_lowercase + string.digits
_ID_LENGTH = 17
FIELD = "code_signing_config"

log = structlog.get_logger()


async def create_code_signing_config(services: Services, call: Call) -> Reply:
    """Make a configuration."""
    given = call.input
    made = CodeSigningConfig(
        metadata=ObjectMeta(
            name="csc-" + "".join(secrets.choice(_ID_DIGITS) for _ in range(_ID_LENGTH)),
            namespace=call.namespace,
        ),
        spec=_changed(CodeSigningConfigSpec(signing_profiles=["none"]), given).model_copy(
            update={"tags": given.get("Tags", {})}
        ),
    )
    made = await services.resources.create(made)
    return json_reply({"CodeSigningConfig": _document(services, call, made)}, 201)


async def get_code_signing_config(services: Services, call: Call) -> Reply:
    """Return a configuration."""
    found = _find(services, call, FunctionNotFoundError)
    return json_reply({"CodeSigningConfig": _document(services, call, found)})


async def list_code_signing_configs(services: Services, call: Call) -> Reply:
    """Return the account's configurations by id."""
    all_of_account = services.cache.all(CodeSigningConfig, call.namespace)
    found = {one.metadata.name: one for one in all_of_account}
    page, marker = paged(sorted(found), call.input, most=PAGE, of=call.operation)
    documents = [_document(services, call, found[name]) for name in page]
    return json_reply({"CodeSigningConfigs": documents} | marker)


async def update_code_signing_config(services: Services, call: Call) -> Reply:
    """Change what is named of a configuration."""
    found = _find(services, call, FunctionNotFoundError)
    changed = await write_changed(
        services.resources,
        found,
        lambda now: now.model_copy(update={"spec": _changed(now.spec, call.input)}),
    )
    return json_reply({"CodeSigningConfig": _document(services, call, changed)})


async def delete_code_signing_config(services: Services, call: Call) -> Reply:
    """Delete a configuration that no function has."""
    found = _find(services, call, FunctionNotFoundError)
    if users := _users(services, found):
        raise ResourceConflictError(
            f"The code signing configuration is used by {len(users)} functions and cannot be "
            "deleted."
        )
    await services.resources.delete(CodeSigningConfig, found.key)
    return Reply(204)


async def list_functions_by_code_signing_config(services: Services, call: Call) -> Reply:
    """Return the functions that are checked by a configuration."""
    users = _users(services, _find(services, call, FunctionNotFoundError))
    names = sorted(one.function_name for one in users)
    page, marker = paged(names, call.input, most=PAGE, of=call.operation)
    region, account = services.settings.region, call.account
    arns = [function_arn(region, account, name) for name in page]
    return json_reply({"FunctionArns": arns} | marker)


async def put_function_code_signing_config(services: Services, call: Call) -> Reply:
    """Have a function's new code checked by a configuration."""
    function = await find(services, call)
    config = _find(services, call, CodeSigningConfigNotFoundError)
    await write_field(services.resources, function, FIELD, config.metadata.name)
    return json_reply(_of_function(services, call, function, config.metadata.name))


async def get_function_code_signing_config(services: Services, call: Call) -> Reply:
    """Return the configuration of a function; its name alone where it has none."""
    function = await find(services, call)
    return json_reply(_of_function(services, call, function, function.spec.code_signing_config))


async def delete_function_code_signing_config(services: Services, call: Call) -> Reply:
    """Have a function's code checked no more."""
    await write_field(services.resources, await find(services, call), FIELD, None)
    return Reply(204)


def config_id(services: Services, call: Call, arn: str | None) -> str | None:
    """Return the id of a configuration that CreateFunction names; raises where there is none."""
    if not arn:
        return None
    return _by_arn(services, call, arn, CodeSigningConfigNotFoundError).metadata.name


def find_config(services: Services, call: Call, arn: str) -> CodeSigningConfig:
    """Return the account's configuration of an ARN; raises ResourceNotFoundException."""
    return _by_arn(services, call, arn, FunctionNotFoundError)


def check_signature(services: Services, namespace: str, config: str | None) -> None:
    """Raise CodeVerificationFailedError where new code must be signed: none of it is."""
    found = config and services.cache.get(CodeSigningConfig, Key(namespace, config))
    if not found:
        return
    if found.spec.policy == "Enforce":
        raise CodeVerificationFailedError(
            "The code signature failed one or more of the validation checks for signature mismatch "
            "or expiry, and the code signing policy is set to ENFORCE. Lambda blocks the "
            "deployment: packages carry no signatures here."
        )
    log.warning("code without a signature", namespace=namespace, config=config)


def _find(services: Services, call: Call, missing: type[ApiError]) -> CodeSigningConfig:
    return _by_arn(services, call, str(call.input["CodeSigningConfigArn"]), missing)


def _by_arn(services: Services, call: Call, arn: str, missing: type[ApiError]) -> CodeSigningConfig:
    name = arn.rpartition(":")[2]
    found = services.cache.get(CodeSigningConfig, Key(call.namespace, name))
    if found is None or arn != _arn(services, call, name):
        raise missing(f"The code signing configuration cannot be found. Check that {arn} exists.")
    return found


def _users(services: Services, config: CodeSigningConfig) -> list[Function]:
    functions = services.cache.all(Function, config.metadata.namespace)
    return [one for one in functions if one.spec.code_signing_config == config.metadata.name]


def _changed(spec: CodeSigningConfigSpec, given: dict[str, Any]) -> CodeSigningConfigSpec:
    update: dict[str, Any] = {"modified": datetime.now(UTC).isoformat(timespec="milliseconds")}
    if given.get("Description") is not None:
        update["description"] = given["Description"]
    if given.get("AllowedPublishers") is not None:
        update["signing_profiles"] = given["AllowedPublishers"]["SigningProfileVersionArns"]
    if policy := given.get("CodeSigningPolicies", {}).get("UntrustedArtifactOnDeployment"):
        update["policy"] = policy
    return spec.model_copy(update=update)


def _arn(services: Services, call: Call, name: str) -> str:
    region, account = services.settings.region, call.account
    return f"arn:aws:lambda:{region}:{account}:code-signing-config:{name}"


def _document(services: Services, call: Call, config: CodeSigningConfig) -> dict[str, Any]:
    spec, name = config.spec, config.metadata.name
    return {
        "CodeSigningConfigId": name,
        "CodeSigningConfigArn": _arn(services, call, name),
        "Description": spec.description,
        "AllowedPublishers": {"SigningProfileVersionArns": spec.signing_profiles},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": spec.policy},
        "LastModified": spec.modified,
    }


def _of_function(
    services: Services, call: Call, function: Function, config: str | None
) -> dict[str, str]:
    named = {"FunctionName": function.function_name}
    return (
        named if config is None else named | {"CodeSigningConfigArn": _arn(services, call, config)}
    )
