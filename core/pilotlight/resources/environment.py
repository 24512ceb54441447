"""Environment variables of a function: which ones Lambda refuses, said to pydantic and in CEL.

Those of the spec are checked by the models, those of a Secret by who reads it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator

from .meta import cel

__all__ = [
    "ENVIRONMENT_BOUNDS",
    "ENVIRONMENT_RULES",
    "LARGEST_ENVIRONMENT",
    "RESERVED_VARIABLES",
    "Environment",
    "check_environment",
]

LARGEST_ENVIRONMENT = 4096
"""Bytes that all environment variables may take together."""
RESERVED_VARIABLES = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN",
})  # fmt: skip


def check_environment(variables: dict[str, str]) -> dict[str, str]:
    """Refuse variables that Lambda refuses: reserved keys, odd names, NUL, over 4 KB in all."""
    reserved = sorted(RESERVED_VARIABLES & variables.keys())
    if reserved:
        raise ValueError(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in variables:
        if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name):
            raise ValueError(f"environment variable {name!r} must match [a-zA-Z]([a-zA-Z0-9_])+")
    for name, value in variables.items():
        if "\0" in value:
            raise ValueError(f"environment variable {name!r} has a NUL, which ends every variable")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > LARGEST_ENVIRONMENT:
        raise ValueError(
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the 4KB limit: {size} bytes came, "
            f"at most {LARGEST_ENVIRONMENT} are allowed"
        )
    return variables


Environment = Annotated[dict[str, str], AfterValidator(check_environment)]
ENVIRONMENT_BOUNDS: dict[str, Any] = {
    # A name has two characters at least; the API server wants a bound to price its rules by.
    "maxProperties": LARGEST_ENVIRONMENT // 2,
    "additionalProperties": {
        "type": "string",
        "maxLength": LARGEST_ENVIRONMENT,
        "pattern": r"^[^\x00]*$",
    },
}
ENVIRONMENT_RULES = cel(
    (
        f"!self.exists(name, name in {sorted(RESERVED_VARIABLES)})",
        "reserved keys are not supported: Lambda sets them itself",
    ),
    (
        "self.all(name, name.matches('^[a-zA-Z][a-zA-Z0-9_]+$'))",
        "names of environment variables must match [a-zA-Z]([a-zA-Z0-9_])+",
    ),
    (
        (
            "self.map(name, bytes(name).size() + bytes(self[name]).size()).sum() "
            f"<= {LARGEST_ENVIRONMENT}"
        ),
        f"environment variables exceed the 4KB limit of {LARGEST_ENVIRONMENT} bytes in all",
    ),
)
