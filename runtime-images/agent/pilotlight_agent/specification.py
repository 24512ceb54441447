"""What `POST /v1/specialise` says: the one revision that this pod is going to serve.

The types are the agent's own copy of those in the platform's core; a contract test holds the two
equal. `pod` acts on them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")
_MOST_ENVIRONMENTS = 64
_SHA256 = re.compile(r"[0-9a-f]{64}")


class InvalidSpecificationError(Exception):
    """The body names no revision; the message says which field is wrong."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function's configuration; memory and storage in MB, timeout in seconds."""

    name: str
    version: str
    arn: str
    account: str
    region: str
    runtime: str
    handler: str
    memory: int
    timeout: int
    ephemeral_storage: int
    log_group: str
    log_format: str
    application_log_level: str
    initialization_type: str


@dataclass(frozen=True, slots=True)
class Code:
    """Where the package is and what it must be; `ticket` opens the door there."""

    sha256: str
    url: str
    ticket: str


@dataclass(frozen=True, slots=True)
class Specification:
    """A revision: function, variables, credentials, code, and how many environments to start."""

    revision: str
    function: Function
    environment: Mapping[str, str]
    credentials: Mapping[str, str]
    code: Code
    environments: int


def parse(body: bytes) -> Specification:
    """Read the JSON body; InvalidSpecificationError names the field that is wrong."""
    document = _document(body)
    environments = _get(document, "environments", int, 1)
    if not 1 <= environments <= _MOST_ENVIRONMENTS:
        raise InvalidSpecificationError(f"environments must be 1 to {_MOST_ENVIRONMENTS}")
    return Specification(
        revision=_get(document, "revision", str),
        function=_function(_get(document, "function", dict)),
        environment=_variables(document, "environment"),
        credentials=_variables(document, "credentials"),
        code=_code(_get(document, "code", dict)),
        environments=environments,
    )


def _document(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidSpecificationError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidSpecificationError("the body is not a JSON object")
    return document


def _function(document: dict[str, object]) -> Function:
    name = _get(document, "name", str)
    return Function(
        name=name,
        version=_get(document, "version", str, "$LATEST"),
        arn=_get(document, "arn", str),
        account=_get(document, "account", str, "000000000000"),
        region=_get(document, "region", str, "us-east-1"),
        runtime=_get(document, "runtime", str),
        handler=_get(document, "handler", str, ""),
        memory=_get(document, "memory", int, 128),
        timeout=_get(document, "timeout", int, 3),
        ephemeral_storage=_get(document, "ephemeralStorage", int, 512),
        log_group=_get(document, "logGroup", str, f"/aws/lambda/{name}"),
        log_format=_get(document, "logFormat", str, "Text"),
        application_log_level=_get(document, "applicationLogLevel", str, ""),
        initialization_type=_get(document, "initializationType", str, "on-demand"),
    )


def _code(document: dict[str, object]) -> Code:
    sha256 = _get(document, "sha256", str)
    if _SHA256.fullmatch(sha256) is None:
        raise InvalidSpecificationError("code.sha256 must be 64 lower-case hexadecimal digits")
    return Code(sha256, _get(document, "url", str), _get(document, "ticket", str, ""))


def _variables(document: dict[str, object], name: str) -> dict[str, str]:
    values = _get(document, name, dict, {})
    if not all(isinstance(v, str) and "\0" not in f"{k}{v}" for k, v in values.items()):
        raise InvalidSpecificationError(f"{name} must map strings to strings without NUL")
    return values


def _get(document: dict[str, object], name: str, kind: type[_T], default: _T | None = None) -> _T:
    value = document.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidSpecificationError(f"{name} must be of type {kind.__name__}")
    return value
