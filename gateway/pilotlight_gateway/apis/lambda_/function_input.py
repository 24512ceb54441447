"""Turns the API's members into a `FunctionSpec`, for CreateFunction and the two updates.

A member that Lambda has and Pilotlight does not yet is refused by name when it asks for anything;
its empty or default value is what it would be anyway and passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.resources import FunctionSpec
from pilotlight.runtimes import DEPRECATED_RUNTIMES, RUNTIMES
from pilotlight.snap_start import find_snap_start_problem
from pilotlight_gateway.errors import InvalidParameterValueError, NotSupportedError

from .container_images import image_config
from .file_systems import file_systems
from .inputs import parse_as
from .vpc import network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "UNSUPPORTED_CODE",
    "UNSUPPORTED_MEMBERS",
    "WHY_UNSUPPORTED",
    "merge",
    "parse_spec",
    "refuse_unsupported",
    "refuse_unsupported_code",
]

_PLAIN = {
    "Runtime": "runtime",
    "Handler": "handler",
    "Description": "description",
    "MemorySize": "memory",
    "Timeout": "timeout",
    "Role": "role",
    "Tags": "tags",
}
_ONE_IN_ANOTHER = {
    "EphemeralStorage": ("Size", "ephemeralStorage"),
    "SnapStart": ("ApplyOn", "snapStart"),
    "TenancyConfig": ("TenantIsolationMode", "tenantIsolationMode"),
    "TracingConfig": ("Mode", "tracing"),
}
"""Members that hold the one that matters."""
_CONVERTED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "FileSystemConfigs": ("fileSystems", file_systems),
    "DeadLetterConfig": ("deadLetterTarget", lambda config: config.get("TargetArn") or None),
    "ImageConfig": ("imageConfig", lambda config: image_config(config) or None),
    "KMSKeyArn": ("kmsKeyArn", lambda arn: arn or None),
    "Layers": ("layers", lambda layers: layers),
}
"""Members that a function makes its own value of."""
_LOGGING = {
    "LogFormat": "format",
    "ApplicationLogLevel": "applicationLevel",
    "SystemLogLevel": "systemLevel",
    "LogGroup": "group",
}
_JSON_LEVELS = {"applicationLevel": "INFO", "systemLevel": "INFO"}
"""What lines there are by default where they are JSON."""
UNSUPPORTED_MEMBERS: dict[str, Any] = {
    "CapacityProviderConfig": None,
    "DurableConfig": None, "PublishTo": None, "AcceleratorConfig": None, "RuntimeConfig": None,
}  # fmt: skip
"""Members that are not supported yet, with the value that changes nothing."""
UNSUPPORTED_CODE: dict[str, Any] = {
    "SourceKMSKeyArn": None, "S3ObjectStorageMode": "COPY",
}  # fmt: skip
"""The same of code."""
WHY_UNSUPPORTED = {
    "CapacityProviderConfig": "Several calls at once in an environment are what a Function's "
    "callsPerEnvironment is for.",
    "SourceKMSKeyArn": "Packages are kept as they came; no key of one's own encrypts them.",
    "S3ObjectStorageMode": "COPY is what happens, and may be asked for; with REFERENCE a package "
    "would be read from its bucket at each cold start.",
    "PublishTo": "LATEST_PUBLISHED is of functions with a capacity provider, and there is none.",
    "RuntimeConfig": "Runtimes of one's own are `Runtime`s, which an admin makes, and no ARNs.",
}
"""Reasons, where there is more to say than that it is not there yet."""


def refuse_unsupported(given: Mapping[str, Any]) -> None:
    """Raise NotSupportedError for a member that asks for what is not there yet."""
    _refuse(given, UNSUPPORTED_MEMBERS)


def refuse_unsupported_code(given: Mapping[str, Any]) -> None:
    """Raise NotSupportedError for code that asks for what is not there yet."""
    _refuse(given, UNSUPPORTED_CODE)


def _refuse(given: Mapping[str, Any], members: Mapping[str, Any]) -> None:
    for name, neutral in members.items():
        value = given.get(name)
        if value == neutral or _is_empty(value):
            continue
        why = WHY_UNSUPPORTED.get(name, "")
        raise NotSupportedError(
            f"{name} is not supported yet: leave it out of the request. {why}".rstrip()
        )


def merge(spec: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the API's members over a spec in its JSON form; what was not given stays."""
    merged = dict(spec)
    for member, name in _PLAIN.items():
        if given.get(member) is not None:
            merged[name] = given[member]
    for member, (inner, name) in _ONE_IN_ANOTHER.items():
        if (given.get(member) or {}).get(inner) is not None:
            merged[name] = given[member][inner]
    if given.get("LoggingConfig") is not None:
        merged["logging"] = _logging(spec.get("logging") or {}, given["LoggingConfig"])
    for member, (name, convert) in _CONVERTED.items():
        if given.get(member) is not None:
            merged[name] = convert(given[member])
    if given.get("VpcConfig") is not None:
        merged["network"] = network(spec.get("network"), given["VpcConfig"])
    if given.get("Architectures"):
        merged["architecture"] = given["Architectures"][0]
    return merged


def _logging(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a LoggingConfig over what is known; levels come and go with the format JSON."""
    asked = {_LOGGING[key]: value for key, value in given.items() if value}
    merged = {**known, **(_JSON_LEVELS if asked.get("format") == "JSON" else {}), **asked}
    if merged.get("format") == "JSON":
        return merged
    if _JSON_LEVELS.keys() & asked.keys():
        raise InvalidParameterValueError(
            'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your '
            'request or change the LogFormat to "JSON" and try again.'
        )
    return {name: merged[name] for name in merged if name not in _JSON_LEVELS}


def parse_spec(spec: dict[str, Any]) -> FunctionSpec:
    """Check a spec by the service's rules; raises InvalidParameterValueError."""
    _check_runtime(spec.get("runtime"))
    parsed = parse_as(FunctionSpec, spec)
    if (problem := find_snap_start_problem(parsed)) is not None:
        raise InvalidParameterValueError(problem)
    return parsed


def _check_runtime(runtime: str | None) -> None:
    if runtime is None:
        return
    if runtime not in RUNTIMES:
        wanted = ", ".join(sorted(RUNTIMES - DEPRECATED_RUNTIMES))
        raise InvalidParameterValueError(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            f"value set: [{wanted}] or be a valid ARN"
        )
    if runtime in DEPRECATED_RUNTIMES:
        raise InvalidParameterValueError(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )


def _is_empty(value: Any) -> bool:
    """Say whether a member asks for nothing, such as `{"SubnetIds": []}`."""
    if isinstance(value, dict):
        return all(_is_empty(part) for part in value.values())
    return value in (None, "", [], False)
