"""Says a `Function` resource in the API's words: FunctionConfiguration and GetFunction's answer.

AWS Lambda API reference, "FunctionConfiguration". States follow lambda.md 1.2: what was written and
not yet reconciled is Pending or InProgress.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

from pilotlight import __version__
from pilotlight.arn import function_arn
from pilotlight.errors import UndecryptableError
from pilotlight.names import LAST_VERSION_ANNOTATION, MODIFIED_ANNOTATION
from pilotlight.resources import VERSIONS_BY_NUMBER, Function
from pilotlight.revision import digest_spec
from pilotlight.tickets import ticket_for
from pilotlight_gateway.invocation.reference import LATEST

from . import environment_secret
from .container_images import image_config_response, served_image
from .file_systems import file_system_configs
from .vpc import vpc_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.resources import FunctionVersion, Resource
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.invocation.targets import Target
    from pilotlight_gateway.services import Services

__all__ = [
    "configuration",
    "get_function_document",
    "in_progress",
    "is_changing",
    "revision_id",
    "version_configuration",
]

_UPDATING = {
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": "The function is being created.",
    "LastUpdateStatusReasonCode": "Creating",
}
"""What Lambda says while it carries an update out, of updates too."""
_NO_CONFIGURATION = frozenset({
    "CodeSha256", "CodeSize", "FunctionArn", "LastModified", "RevisionId", "RuntimeVersionConfig",
    "Version",
})  # fmt: skip
"""What is said of a function beside its configuration."""
NO_ROLE = "arn:aws:iam::{account}:role/none"
"""Manifests need no role; the API's model requires one in answers."""


async def configuration(  # noqa: PLR0913  what is described, then how it was named
    services: Services,
    call: Call,
    function: Function,
    *,
    version: str = LATEST,
    qualifier: str | None = None,
    listed: bool = False,
) -> dict[str, Any]:
    """Return a FunctionConfiguration; lists leave states and the runtime's version out."""
    spec = function.spec
    region, account = services.settings.region, call.account
    document: dict[str, Any] = {
        "FunctionName": function.function_name,
        "FunctionArn": function_arn(region, account, function.function_name, qualifier),
        "Role": spec.role or NO_ROLE.format(account=account),
        "CodeSize": function.status.code_size or 0,
        "Description": spec.description,
        "Timeout": spec.timeout,
        "MemorySize": spec.memory,
        "LastModified": _last_modified(function),
        "CodeSha256": _code_sha256(function),
        "Version": version,
        "TracingConfig": {"Mode": spec.tracing},
        "RevisionId": revision_id(function),
        "PackageType": "Image" if spec.code.image else "Zip",
        "Architectures": [spec.architecture],
        "EphemeralStorage": {"Size": spec.ephemeral_storage},
        "SnapStart": _snap_start(services, function, version),
        "LoggingConfig": _logging(function),
    }
    if spec.tenant_isolation_mode:
        document["TenancyConfig"] = {"TenantIsolationMode": spec.tenant_isolation_mode}
    if spec.layers:
        document["Layers"] = _layers(function)
    if spec.dead_letter_target:
        document["DeadLetterConfig"] = {"TargetArn": spec.dead_letter_target}
    if spec.runtime and spec.handler:
        document |= {
            "Runtime": spec.runtime,
            "Handler": spec.handler,
        }
        if not listed:
            arn = _runtime_version(region, spec.runtime)
            document["RuntimeVersionConfig"] = {"RuntimeVersionArn": arn}
    document |= image_config_response(spec.image_config)
    document |= file_system_configs(function, region, account)
    document |= vpc_config(function, services.settings.walls)
    if spec.kms_key_arn:
        document["KMSKeyArn"] = spec.kms_key_arn
    document |= await _environment(services, function)
    document["ConfigSha256"] = _config_sha256(document)
    return document if listed else document | _states(function)


async def version_configuration(
    services: Services, call: Call, version: FunctionVersion, *, listed: bool = False
) -> dict[str, Any]:
    """Return a version's FunctionConfiguration."""
    return await configuration(
        services, call, version.as_function(),
        version=version.number, qualifier=version.number, listed=listed,
    )  # fmt: skip


async def get_function_document(
    services: Services, call: Call, target: Target, qualifier: str | None
) -> dict[str, Any]:
    """Return GetFunction's answer; the package's address works for ten minutes."""
    described = target.described()
    document: dict[str, Any] = {
        "Configuration": await configuration(
            services, call, described, version=target.version, qualifier=qualifier
        ),
        "Code": await _code(services, call, described),
    }
    function = target.function
    if function.spec.tags:
        document["Tags"] = function.spec.tags
    if function.spec.reserved_concurrency is not None:
        reserved = function.spec.reserved_concurrency
        document["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
    return document


def _runtime_version(region: str, runtime: str) -> str:
    """Return the ARN of what runs the function: a release has one version of each runtime."""
    digest = hashlib.sha256(f"pilotlight {__version__} {runtime}".encode()).hexdigest()
    return f"arn:aws:lambda:{region}::runtime:{digest}"


def in_progress(function: Function) -> bool:
    """Say whether the last change is still being carried out."""
    return _unobserved(function) or function.status.last_update_status == "InProgress"


def revision_id(resource: Resource) -> str:
    """Return the RevisionId of a function, a version or an alias: another one after each change."""
    metadata = resource.metadata
    said = f"{metadata.uid}/{metadata.generation}"
    if isinstance(resource, Function):  # Lambda's moves when a change is done, and by publishing
        published = metadata.annotations.get(LAST_VERSION_ANNOTATION, "")
        said += f"/{is_changing(resource)}/{published}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, said))


def is_changing(function: Function) -> bool:
    """Say whether the function is being made, or its last change carried out."""
    return in_progress(function) or function.status.state == "Pending"


def _unobserved(function: Function) -> bool:
    """Say whether the operator has yet to see an update; others than those Lambda calls none."""
    status = function.status
    is_behind = status.observed_generation < function.metadata.generation
    return is_behind and status.observed_digest != digest_spec(function.spec)


def _states(function: Function) -> dict[str, Any]:
    status = function.status
    if status.revision is None and _unobserved(function):
        return {
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
        }
    states = {
        "State": status.state,
        "StateReason": status.state_reason,
        "StateReasonCode": status.state_reason_code,
        "LastUpdateStatus": status.last_update_status,
        "LastUpdateStatusReason": status.last_update_status_reason,
        "LastUpdateStatusReasonCode": status.last_update_status_reason_code,
    }
    if in_progress(function):
        states |= _UPDATING
    return {name: value for name, value in states.items() if value is not None}


def _last_modified(function: Function) -> str:
    """Say when code or configuration changed; what the operator has not seen yet, the API noted."""
    noted = function.metadata.annotations.get(MODIFIED_ANNOTATION, "")
    seen = function.status.last_modified or function.metadata.creation_timestamp or ""
    text = max(noted, seen, key=lambda one: one.removesuffix("Z"))
    whole, _, fraction = text.partition(".")
    return f"{whole.removesuffix('Z')}.{fraction.removesuffix('Z') or '000'}+0000"


def _code_sha256(function: Function) -> str:
    if function.spec.code.image:  # whose digest Lambda tells as registries do
        image = served_image(function)
        return image.sha256 if image else ""
    served = function.status.configuration
    sha256 = function.spec.code.zip or (served.code_sha256 if served else "")
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _config_sha256(document: Mapping[str, Any]) -> str:
    """Hash what an answer says of the configuration, so that two of them can be compared."""
    said = {name: value for name, value in document.items() if name not in _NO_CONFIGURATION}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _logging(function: Function) -> dict[str, str]:
    logging = function.spec.logging
    levels = {
        "ApplicationLogLevel": logging.application_level,
        "SystemLogLevel": logging.system_level,
    }
    group = logging.group or f"/aws/lambda/{function.function_name}"
    document = {"LogFormat": logging.format, "LogGroup": group}
    return document | {name: level for name, level in levels.items() if level}


def _snap_start(services: Services, function: Function, version: str) -> dict[str, str]:
    """Say whether a version starts ahead; `$LATEST` never does (`pilotlight.snap_start`)."""
    found = services.cache.by(VERSIONS_BY_NUMBER, (function.key, version))
    status = found[0].status.snap_start if found else "Off"
    return {"ApplyOn": function.spec.snap_start, "OptimizationStatus": status}


def _layers(function: Function) -> list[dict[str, Any]]:
    """Return each layer; its size is known once the operator has seen it."""
    served = function.status.configuration
    sizes = {one.arn: one.size for one in served.layers} if served else {}
    return [{"Arn": arn, "CodeSize": sizes.get(arn, 0)} for arn in function.spec.layers]


async def _environment(services: Services, function: Function) -> dict[str, Any]:
    try:
        variables = await environment_secret.read(services, function)
    except UndecryptableError as error:
        said = {"ErrorCode": "KMSAccessDeniedException", "Message": str(error)}
        return {"Environment": {"Error": said}}
    return {} if variables is None else {"Environment": {"Variables": variables}}


async def _code(services: Services, call: Call, function: Function) -> dict[str, str]:
    if function.spec.code.image:
        image = served_image(function)
        resolved = {"ResolvedImageUri": image.reference} if image and image.pinned else {}
        return {
            "RepositoryType": "ECR", "ImageUri": function.spec.code.image, **resolved,
        }  # fmt: skip
    served = function.status.configuration
    sha256 = function.spec.code.zip or (served.code_sha256 if served else None)
    if sha256 is None or not await services.artifacts.belongs(sha256, call.namespace):
        return {"RepositoryType": "S3"}
    ticket = ticket_for(services.settings.platform_key, sha256)
    location = f"{call.origin}/-/artifacts/{sha256}?ticket={ticket}"
    return {"RepositoryType": "S3", "Location": location}
