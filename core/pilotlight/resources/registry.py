"""The kinds of resources: a new one is its own file beside this one, and a line in this table.

CRDs, manifests, the embedded store, the platform's endpoints and the test of the chart's roles
read this table; what is said of a kind stands in its class (`meta.Resource`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alias import FunctionAlias
from .builtin import Namespace, NetworkPolicy, PersistentVolumeClaim, Secret
from .code_signing_config import CodeSigningConfig
from .event_source_mapping import EventSourceMapping
from .function import Function
from .layer_version import LayerVersion
from .log_group import LogGroup
from .meta import GROUP
from .route import Route
from .runtime import Runtime
from .schedule import Schedule
from .version import FunctionVersion

if TYPE_CHECKING:
    from .meta import Resource

__all__ = ["CUSTOM_KINDS", "KINDS"]

_ORDERED: tuple[type[Resource], ...] = (
    Namespace,
    Runtime,
    Secret,
    PersistentVolumeClaim,
    NetworkPolicy,
    CodeSigningConfig,
    LayerVersion,
    Function,
    FunctionVersion,
    FunctionAlias,
    Route,
    Schedule,
    EventSourceMapping,
    LogGroup,
)
"""What others refer to comes before them: manifests are applied in this order."""
KINDS = {kind.kind_name: kind for kind in _ORDERED}
"""All of them, by the name of the kind."""
CUSTOM_KINDS = {name: kind for name, kind in KINDS.items() if kind.group() == GROUP}
"""Those that Pilotlight defines; the others are Kubernetes' own."""
