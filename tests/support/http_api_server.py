"""The API server in memory, over HTTP: for what brings a client of its own, such as kopf."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web

from pilotlight.errors import ConflictError, NotFoundError
from pilotlight.resources import GROUP, VERSION
from pilotlight.resources.registry import KINDS
from tests.support.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Json = dict[str, Any]

FIELD_SELECTOR = "metadata.name="
_ERRORS = {
    NotFoundError: (404, "NotFound"),
    ConflictError: (409, "Conflict"),
}


class HttpApiServer:
    """Serves what an `ApiServer` holds; notes what was asked."""

    def __init__(self) -> None:
        self.memory = ApiServer()
        self.lists: list[str] = []
        """Paths of collections that were listed."""
        self.writes: list[tuple[str, str]] = []
        self.failing: set[str] = set()
        """Paths that answer 500."""
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve during a block; gives the URL."""
        server = web.Server(self._handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self.url
        finally:
            await runner.cleanup()

    def kubeconfig(self) -> str:
        """Return a file that leads clients here."""
        named = {"name": "test"}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{**named, "cluster": {"server": self.url}}],
                "users": [{**named, "user": {"token": "test"}}],
                "contexts": [{**named, "context": {"cluster": "test", "user": "test"}}],
            }
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        found = _discovery(request.path)
        if found is not None:
            return web.json_response(found)
        if request.query.get("watch") == "true":
            return await self._watch(request)
        body = json.loads(await request.read() or b"null")
        self._note(request.method, request.path)
        if request.path in self.failing:
            return web.json_response({"message": "failing"}, status=500)
        try:
            answer = await self.memory.request(request.method, request.path, body=body)
        except (NotFoundError, ConflictError) as error:
            status, reason = _ERRORS[type(error)]
            return web.json_response({"message": str(error), "reason": reason}, status=status)
        return web.json_response(_selected(answer, request.query))

    def _note(self, method: str, path: str) -> None:
        if method != "GET":
            self.writes.append((method, path))
        elif path.rpartition("/")[2] in {kind.plural for kind in KINDS.values()}:
            self.lists.append(path)

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        events = self.memory.stream(request.path, query=request.query, seconds=60)
        try:
            async for event in events:
                if _is_selected(event["object"], request.query):
                    await response.write(json.dumps(event).encode() + b"\n")
        except (ConnectionError, asyncio.CancelledError):
            await events.aclose()
        return response


def _discovery(path: str) -> Json | None:
    """Return what clients ask to learn which resources there are."""
    match path:
        case "/api":
            return {"versions": ["v1"]}
        case "/apis":
            return {"groups": [_group(GROUP, VERSION), _group("networking.k8s.io", "v1")]}
        case "/api/v1":
            return {"resources": _resources("")}
        case "/apis/networking.k8s.io/v1":
            return {"resources": _resources("networking.k8s.io")}
        case _ if path == f"/apis/{GROUP}/{VERSION}":
            return {"resources": _resources(GROUP)}
    return None


def _group(name: str, number: str) -> Json:
    version = {"groupVersion": f"{name}/{number}", "version": number}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> list[Json]:
    return [
        {
            "name": kind.plural,
            "singularName": name.lower(),
            "kind": name,
            "namespaced": not kind.cluster_scoped,
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        }
        for name, kind in KINDS.items()
        if kind.group() == group
    ]


def _selected(answer: Json, query: Mapping[str, str]) -> Json:
    if "items" not in answer:
        return answer
    return answer | {"items": [one for one in answer["items"] if _is_selected(one, query)]}


def _is_selected(item: Json, query: Mapping[str, str]) -> bool:
    selector = query.get("fieldSelector", "")
    return not selector or item["metadata"]["name"] == selector.removeprefix(FIELD_SELECTOR)
