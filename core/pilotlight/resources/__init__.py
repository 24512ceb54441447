"""Pilotlight's resources, defined once; CRDs, API and operator all read these models."""

from .alias import LATEST, PUBLISHED, FunctionAlias, FunctionAliasSpec, FunctionAliasStatus
from .asynchronous import AsyncConfig, DestinationKind, destination_kind
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
from .meta import (
    GROUP,
    VERSION,
    Condition,
    Key,
    Model,
    ObjectMeta,
    Resource,
    find_condition,
    now,
    owned_by,
    owner_uid,
)
from .route import (
    AuthorizerAuth,
    JwtAuth,
    Rate,
    Route,
    RouteAuth,
    RouteSpec,
    RouteStatus,
    find_rival,
)
from .runtime import Runtime, RuntimeSpec
from .schedule import Schedule, ScheduleSpec, ScheduleStatus
from .url import Cors, FunctionUrl
from .version import (
    FunctionVersion,
    FunctionVersionSpec,
    FunctionVersionStatus,
    ProvisionedStatus,
)

__all__ = [
    "GROUP",
    "LATEST",
    "PUBLISHED",
    "VERSION",
    "AsyncConfig",
    "AuthorizerAuth",
    "Code",
    "Condition",
    "Configuration",
    "Cors",
    "DestinationKind",
    "Function",
    "FunctionAlias",
    "FunctionAliasSpec",
    "FunctionAliasStatus",
    "FunctionSpec",
    "FunctionStatus",
    "FunctionUrl",
    "FunctionVersion",
    "FunctionVersionSpec",
    "FunctionVersionStatus",
    "JwtAuth",
    "Key",
    "Logging",
    "Model",
    "Namespace",
    "ObjectMeta",
    "ProvisionedStatus",
    "Rate",
    "Resource",
    "Route",
    "RouteAuth",
    "RouteSpec",
    "RouteStatus",
    "Runtime",
    "RuntimeSpec",
    "S3Object",
    "Schedule",
    "ScheduleSpec",
    "ScheduleStatus",
    "Secret",
    "SecretReference",
    "destination_kind",
    "find_condition",
    "find_rival",
    "now",
    "owned_by",
    "owner_uid",
]
