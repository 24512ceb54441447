"""The one way to the Kubernetes API: JSON in and out, core's errors instead of the client's.

Built on the official client's asyncio half (`kubernetes.aio`), which brings configuration,
credentials and TLS; its generated methods are not used, since custom resources have none. Its
import takes over a second, so only what runs on a cluster imports this module. Above it stand
`watch` and `resources`, and the operator's pods.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from kubernetes.aio import client, config

from pilotlight.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidResourceError,
    NotFoundError,
    PilotlightError,
    QuotaExceededError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = [
    "JSON_PATCH",
    "MERGE_PATCH",
    "STRATEGIC_MERGE_PATCH",
    "Json",
    "KubernetesApi",
    "WatchExpiredError",
]

Json = dict[str, Any]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 15.0


class WatchExpiredError(PilotlightError):
    """The API server no longer has the version that a watch would go on from: list again."""

    code = "WatchExpired"
    status = 410
    retryable = True


class KubernetesApi:
    """A connection to one cluster; close it when done."""

    def __init__(self, configuration: client.Configuration) -> None:
        self._client = client.ApiClient(configuration)

    @classmethod
    async def connect(cls) -> Self:
        """Connect as the pod's ServiceAccount inside a cluster, else as KUBECONFIG says."""
        configuration = client.Configuration()
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # not typed
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]  # not typed
                client_configuration=configuration
            )
        return cls(configuration)

    async def close(self) -> None:
        """Close the kept-alive connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # not typed

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = JSON,
    ) -> Json:
        """Make one request and give its answer; raises core's errors."""
        limits = aiohttp.ClientTimeout(REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            response = await self._send(method, path, query, body, content_type, limits)
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error
        answer = _decode(content)
        if response.status >= 400:  # noqa: PLR2004  HTTP's boundary between answers and errors
            raise _translate(response.status, answer, f"{method} {path}")
        return answer

    async def stream(
        self, path: str, *, query: Mapping[str, str], seconds: float
    ) -> AsyncGenerator[Json, None]:
        """Stream a watch's events until the server ends it; raises core's errors.

        A connection that is silent for longer than `seconds` in all is given up.
        """
        limits = aiohttp.ClientTimeout(seconds, sock_connect=CONNECT_SECONDS)
        try:
            response = await self._send("GET", path, query, None, JSON, limits)
            async with response:
                if response.status >= 400:  # noqa: PLR2004  as above
                    raise _translate(response.status, _decode(await response.read()), path)
                while line := await response.content.readline():
                    yield _event(json.loads(line))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unreachable(error) from error

    async def _send(  # noqa: PLR0913, PLR0917  one HTTP request has that many parts
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Json | list[Json] | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": JSON, "Content-Type": content_type}
        request = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(*request, _request_timeout=limits)
        response: aiohttp.ClientResponse = answer.response
        return response


def _decode(content: bytes) -> Json:
    try:
        answer = json.loads(content)
    except ValueError:
        return {"message": content[:200].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {"message": str(answer)}


def _event(event: Json) -> Json:
    if event.get("type") == "ERROR":
        said = event.get("object", {})
        raise _translate(int(said.get("code", 500)), said, "watch")
    return event


def _unreachable(error: Exception) -> UnavailableError:
    said = str(error) or type(error).__name__
    return UnavailableError(f"the Kubernetes API does not answer: {said}")


def _translate(status: int, answer: Json, what: str) -> PilotlightError:
    message = f"Kubernetes refused {what}: {answer.get('message', status)}"
    if status == 409:  # noqa: PLR2004  HTTP's Conflict, which Kubernetes uses for two things
        taken = answer.get("reason") == "AlreadyExists"
        return AlreadyExistsError(message) if taken else ConflictError(message)
    if status == 403 and "exceeded quota" in message:  # noqa: PLR2004  Forbidden
        return QuotaExceededError(message)
    return _ERRORS.get(status, UnavailableError)(message)


_ERRORS: dict[int, type[PilotlightError]] = {
    400: InvalidResourceError,
    404: NotFoundError,
    410: WatchExpiredError,
    422: InvalidResourceError,
}
