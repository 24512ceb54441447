"""The door of AWS Lambda: which operation a request asks for, by the API's model and the table.

The invocation path is looked at first, by two string comparisons: it is what nearly all requests
are. Everything else is driven by the model.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pilotlight_gateway.apis.protocols import error_in
from pilotlight_gateway.apis.service import Endpoint
from pilotlight_gateway.errors import (
    NotSupportedError,
    RequestTooLargeError,
    UnknownOperationError,
)
from pilotlight_gateway.exchange import refuse_repeated

from .access import access_of
from .inputs import assemble
from .invoke import LARGEST_EVENT, LARGEST_OLD_EVENT
from .model import load_model
from .table import LAMBDA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_gateway.apis.service import Request
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Query, Reply

    from .model import Route

__all__ = ["WITHOUT_EFFECT", "Lambda"]

LARGEST_BODY = 70_167_211
"""Bytes of a management call (lambda.md 1.2, CreateFunction)."""
_NO_ROLES = "It is kept and shown; functions have credentials of their own (docs/kubernetes.md)."
_ALL_METRICS = "Every metric is always there, of every mapping (docs/metrics.md)."
WITHOUT_EFFECT: dict[str, dict[str, str]] = {
    "AddPermission": {"EventSourceToken": "Alexa calls nobody here: the statement lets nobody in."},
    "CreateEventSourceMapping": {"MetricsConfig.Metrics": _ALL_METRICS},
    "CreateFunction": {"Role": _NO_ROLES},
    "UpdateEventSourceMapping": {"MetricsConfig.Metrics": _ALL_METRICS},
    "UpdateFunctionConfiguration": {"Role": _NO_ROLES},
}
"""Members that are taken and change nothing, by operation, with the reason."""
_INVOKE_PREFIX = "/2015-03-31/functions/"
_INVOKE_SUFFIX = "/invocations"
_INVOKE_STREAM = re.compile(
    r"/2021-11-15/functions/(?P<name>[^/]+)/response-streaming-invocations/?"
)
_INVOKE_ASYNC = re.compile(r"/2014-11-13/functions/(?P<name>[^/]+)/invoke-async/?")


class Lambda:
    """AWS Lambda."""

    name = "lambda"

    def find(self, request: Request) -> Endpoint:
        """Find an operation; raises UnknownOperationError or NotSupportedError."""
        if request.method == "POST" and (endpoint := _invocation(request)) is not None:
            return endpoint
        route = load_model().match(request.method, request.path, request.query)
        if route is None:
            raise UnknownOperationError(
                f"{request.method} {request.path} is no operation of the Lambda API."
            )
        name = route.operation.name
        handler = LAMBDA.get(name)
        if handler is None:
            raise NotSupportedError(
                f"The operation {name} is not supported yet; docs/unsupported.md lists what is not."
            )
        read = functools.partial(_read, route)
        return Endpoint(name, handler, route.parameters, LARGEST_BODY, access=access_of, input=read)

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error as Lambda does."""
        del request  # Lambda has one protocol
        return error_in("rest-json", error, request_id)


def _invocation(request: Request) -> Endpoint | None:
    path = request.path
    endpoint = None
    if path.startswith(_INVOKE_PREFIX) and path.endswith(_INVOKE_SUFFIX):
        name = path[len(_INVOKE_PREFIX) : -len(_INVOKE_SUFFIX)]
        if name and "/" not in name:
            endpoint = _invoking("Invoke", name, LARGEST_EVENT)
    elif streamed := _INVOKE_STREAM.fullmatch(path):
        endpoint = _invoking("InvokeWithResponseStream", streamed["name"], LARGEST_EVENT)
    elif old := _INVOKE_ASYNC.fullmatch(path):
        endpoint = _invoking("InvokeAsync", old["name"], LARGEST_OLD_EVENT)
    if endpoint is not None:
        refuse_repeated(request.query)
    return endpoint


@functools.lru_cache(maxsize=1024)
def _invoking(operation: str, name: str, limit: int) -> Endpoint:
    parameters = {"FunctionName": unquote(name)}
    handler = LAMBDA[operation]
    return Endpoint(
        operation, handler, parameters, limit, RequestTooLargeError,
        access=access_of, logged=False,
    )  # fmt: skip


def _read(route: Route, query: Query, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    return assemble(load_model(), route, query, headers, body)
