"""Finds the endpoint of a request: the platform's own under `/-/`, else the Lambda API's.

The invocation path is looked at first, by two string comparisons; everything else is driven by the
API's model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .apis.lambda_.inputs import assemble
from .apis.lambda_.invoke import LARGEST_EVENT, LARGEST_OLD_EVENT
from .apis.lambda_.model import Route, load_model
from .apis.lambda_.table import LAMBDA
from .apis.platform import artifacts, dead_letters, kinds, logs, manifests
from .errors import (
    ApiError,
    NotSupportedError,
    RequestEntityTooLargeError,
    RequestTooLargeError,
    UnknownOperationError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .apis.lambda_.table import Handler

__all__ = ["Endpoint", "find_endpoint"]

LARGEST_BODY = 70_167_211
"""Bytes of a management call (lambda.md 1.2, CreateFunction)."""
LARGEST_MANIFEST = 1 << 20
LARGEST_PACKAGE = 52_428_800
_INVOKE_PREFIX = "/2015-03-31/functions/"
_INVOKE_SUFFIX = "/invocations"
_INVOKE_ASYNC = re.compile(r"/2014-11-13/functions/(?P<name>[^/]+)/invoke-async/?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers a request, and how large its body may be."""

    name: str
    handler: Handler
    parameters: dict[str, str]
    limit: int
    too_large: type[ApiError] = RequestEntityTooLargeError
    route: Route | None = None

    def input(
        self, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> dict[str, Any]:
        """Give the validated input of an operation of the API; platform endpoints have none."""
        if self.route is None:
            return {}
        return assemble(load_model(), self.route, query, headers, body)


@dataclass(frozen=True, slots=True)
class _PlatformRoute:
    name: str
    method: str
    pattern: re.Pattern[str]
    handler: Handler
    limit: int = 0


_PLATFORM = (
    _PlatformRoute(
        "PutArtifact", "PUT", re.compile(r"/-/artifacts/(?P<sha256>[^/]+)"),
        artifacts.put_artifact, LARGEST_PACKAGE,
    ),
    _PlatformRoute(
        "Apply", "POST", re.compile(r"/-/apply"), manifests.apply, LARGEST_MANIFEST
    ),
    _PlatformRoute(
        "GetFunctionResource", "GET", re.compile(r"/-/functions/(?P<name>[^/]+)"),
        manifests.get_function,
    ),
    _PlatformRoute(
        "DeleteFunctionResource", "DELETE", re.compile(r"/-/functions/(?P<name>[^/]+)"),
        manifests.delete_function,
    ),
    _PlatformRoute(
        "ListResources", "GET", re.compile(rf"/-/(?P<plural>{kinds.PLURALS})"),
        kinds.list_resources,
    ),
    _PlatformRoute(
        "GetResource", "GET", re.compile(rf"/-/(?P<plural>{kinds.PLURALS})/(?P<name>[^/]+)"),
        kinds.get_resource,
    ),
    _PlatformRoute(
        "DeleteResource", "DELETE",
        re.compile(rf"/-/(?P<plural>{kinds.PLURALS})/(?P<name>[^/]+)"), kinds.delete_resource,
    ),
    _PlatformRoute("GetLogs", "GET", re.compile(r"/-/logs"), logs.get_logs),
    _PlatformRoute(
        "ListDeadLetters", "GET", re.compile(r"/-/dead-letters"), dead_letters.list_dead_letters
    ),
    _PlatformRoute(
        "PurgeDeadLetters", "DELETE", re.compile(r"/-/dead-letters"),
        dead_letters.purge_dead_letters,
    ),
    _PlatformRoute(
        "RedriveDeadLetters", "POST", re.compile(r"/-/dead-letters/redrive"),
        dead_letters.redrive_dead_letters,
    ),
    _PlatformRoute(
        "GetDeadLetter", "GET", re.compile(r"/-/dead-letters/(?P<id>[^/]+)"),
        dead_letters.get_dead_letter,
    ),
)  # fmt: skip


def find_endpoint(method: str, path: str, query: dict[str, str]) -> Endpoint:
    """Find what answers; raises UnknownOperationError or NotSupportedError."""
    if method == "POST" and path.startswith(_INVOKE_PREFIX) and path.endswith(_INVOKE_SUFFIX):
        name = path[len(_INVOKE_PREFIX) : -len(_INVOKE_SUFFIX)]
        if name and "/" not in name:
            return Endpoint(
                "Invoke", LAMBDA["Invoke"], {"FunctionName": unquote(name)},
                LARGEST_EVENT, RequestTooLargeError,
            )  # fmt: skip
    if method == "POST" and (old := _INVOKE_ASYNC.fullmatch(path)):
        return Endpoint(
            "InvokeAsync", LAMBDA["InvokeAsync"], {"FunctionName": unquote(old["name"])},
            LARGEST_OLD_EVENT, RequestTooLargeError,
        )  # fmt: skip
    if path.startswith("/-/"):
        return _platform(method, path)
    return _lambda(method, path, query)


def _platform(method: str, path: str) -> Endpoint:
    for route in _PLATFORM:
        if route.method == method and (found := route.pattern.fullmatch(path)):
            parameters = {key: unquote(value) for key, value in found.groupdict().items()}
            return Endpoint(route.name, route.handler, parameters, route.limit)
    raise UnknownOperationError(f"{method} {path} is no endpoint of the platform.")


def _lambda(method: str, path: str, query: dict[str, str]) -> Endpoint:
    route = load_model().match(method, path, query)
    if route is None:
        raise UnknownOperationError(f"{method} {path} is no operation of the Lambda API.")
    name = route.operation.name
    handler = LAMBDA.get(name)
    if handler is None:
        raise NotSupportedError(
            f"The operation {name} is not supported yet; docs/unsupported.md lists what is not."
        )
    return Endpoint(name, handler, route.parameters, LARGEST_BODY, route=route)
