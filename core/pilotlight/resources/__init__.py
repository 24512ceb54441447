"""Pilotlight's resources, defined once; CRDs, API and operator all read these models."""

from .builtin import Namespace, Secret
from .function import (
    Code,
    Configuration,
    Function,
    FunctionSpec,
    FunctionStatus,
    Logging,
    S3Object,
    SecretReference,
)
from .meta import GROUP, VERSION, Condition, Key, Model, ObjectMeta, Resource, now
from .runtime import DEPRECATED_RUNTIMES, RUNTIMES, Runtime, RuntimeSpec

__all__ = [
    "DEPRECATED_RUNTIMES",
    "GROUP",
    "RUNTIMES",
    "VERSION",
    "Code",
    "Condition",
    "Configuration",
    "Function",
    "FunctionSpec",
    "FunctionStatus",
    "Key",
    "Logging",
    "Model",
    "Namespace",
    "ObjectMeta",
    "Resource",
    "Runtime",
    "RuntimeSpec",
    "S3Object",
    "Secret",
    "SecretReference",
    "now",
]
