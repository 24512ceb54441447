"""The door of the platform's own endpoints, under `/-/`: for the command line, agents and probes.

Those for agents and probes are also served alone, on ports of their own (`INTERNAL`, `HEALTH`);
a cluster's clients get `CLIENTS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pilotlight_gateway.access import open_to_all
from pilotlight_gateway.apis.protocols import error_in
from pilotlight_gateway.apis.service import Endpoint, Handler
from pilotlight_gateway.errors import UnknownOperationError
from pilotlight_gateway.exchange import refuse_repeated
from pilotlight_wire.archive import PACKED_LIMIT

from . import artifacts, dead_letters, health, kinds, logs, manifests, mappings, role_credentials
from .access import access_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pilotlight_gateway.apis.service import Request
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Reply

__all__ = ["CLIENTS", "HEALTH", "INTERNAL", "PLATFORM", "PREFIX", "Platform"]

PREFIX = "/-/"
LARGEST_MANIFEST = 1 << 20


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    method: str
    pattern: re.Pattern[str]
    handler: Handler
    limit: int = 0
    anonymous: bool = False

    def match(self, request: Request) -> Endpoint | None:
        found = self.pattern.fullmatch(request.path) if self.method == request.method else None
        if found is None:
            return None
        parameters = {key: unquote(value) for key, value in found.groupdict().items()}
        return Endpoint(
            self.operation, self.handler, parameters, self.limit,
            access=open_to_all if self.anonymous else access_of,
            anonymous=self.anonymous, logged=not self.anonymous,
        )  # fmt: skip


class Platform:
    """Some of the platform's own endpoints."""

    def __init__(self, *groups: Iterable[_Route]) -> None:
        self._routes = [route for group in groups for route in group]

    def find(self, request: Request) -> Endpoint:
        """Find an endpoint; raises UnknownOperationError."""
        refuse_repeated(request.query)
        for route in self._routes:
            if (endpoint := route.match(request)) is not None:
                return endpoint
        raise UnknownOperationError(
            f"{request.method} {request.path[:200]} is no endpoint of the platform."
        )

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error as Lambda would."""
        del request  # there is one protocol
        return error_in("rest-json", error, request_id)


def _route(  # noqa: PLR0913  a table's columns
    operation: str,
    method: str,
    path: str,
    handler: Handler,
    limit: int = 0,
    *,
    anonymous: bool = False,
) -> _Route:
    """Make a route of a path in which `{name}` stands for one segment."""
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    return _Route(operation, method, re.compile(PREFIX + pattern), handler, limit, anonymous)


def _open(operation: str, path: str, handler: Handler) -> _Route:
    """Make a route that asks for no credentials."""
    return _route(operation, "GET", path, handler, anonymous=True)


_KIND = f"(?P<plural>{kinds.PLURALS})"
_MAPPING = "eventsourcemappings/{name}"
_PROBES = (
    _open("GetLive", "live", health.get_live),
    _open("GetReady", "ready", health.get_ready),
)
_METRICS = (_open("GetMetrics", "metrics", health.get_metrics),)
_PACKAGES = (_open("GetArtifact", "artifacts/{sha256}", artifacts.get_artifact),)
_ROLES = (_open("GetRoleCredentials", "role-credentials", role_credentials.get_role_credentials),)
_MANAGEMENT = (
    _route("PutArtifact", "PUT", "artifacts/{sha256}", artifacts.put_artifact, PACKED_LIMIT),
    _route("Apply", "POST", "apply", manifests.apply, LARGEST_MANIFEST),
    _route("GetFunctionResource", "GET", "functions/{name}", manifests.get_function),
    _route("DeleteFunctionResource", "DELETE", "functions/{name}", manifests.delete_function),
    _route("ListShards", "GET", f"{_MAPPING}/shards", mappings.list_shards),
    _route("GetBacklog", "GET", f"{_MAPPING}/backlog", mappings.get_backlog),
    _route("ResetMapping", "POST", f"{_MAPPING}/reset", mappings.reset_mapping),
    _route("ListResources", "GET", _KIND, kinds.list_resources),
    _route("GetResource", "GET", f"{_KIND}/{{name}}", kinds.get_resource),
    _route("DeleteResource", "DELETE", f"{_KIND}/{{name}}", kinds.delete_resource),
    _route("GetLogs", "GET", "logs", logs.get_logs),
    _route("ListDeadLetters", "GET", "dead-letters", dead_letters.list_dead_letters),
    _route("PurgeDeadLetters", "DELETE", "dead-letters", dead_letters.purge_dead_letters),
    _route("RedriveDeadLetters", "POST", "dead-letters/redrive", dead_letters.redrive_dead_letters),
    _route("GetDeadLetter", "GET", "dead-letters/{id}", dead_letters.get_dead_letter),
)

CLIENTS = Platform(_PROBES, _PACKAGES, _MANAGEMENT)
"""Those for clients: what the metrics tell of all accounts is no client's business."""
PLATFORM = Platform(_PROBES, _METRICS, _PACKAGES, _ROLES, _MANAGEMENT)
"""All endpoints, for one machine, which has one port."""
INTERNAL = Platform(_PACKAGES, _ROLES)
"""Those that agents ask for."""
HEALTH = Platform(_PROBES, _METRICS)
"""Those that the kubelet and Prometheus ask for."""
