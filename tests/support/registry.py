"""A registry of container images, as far as who asks what an image is needs one."""

from __future__ import annotations

import hashlib
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["ImageRegistry", "serving"]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class ImageRegistry:
    """Images by repository and version; with `keys` it gives tokens to who has them."""

    def __init__(self, keys: str | None = None) -> None:
        self.keys = keys
        self.token = b'{"token": "t"}'
        self.documents: dict[tuple[str, str], bytes] = {}
        self.asked: list[str] = []

    def put(self, version: str, document: Any, *, kind: str = "manifests") -> str:
        """Keep a document, and under its digest, which is returned."""
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.documents |= {(kind, version): body, (kind, digest): body}
        return digest

    def push(self, version: str, architecture: str = "amd64", **config: Any) -> str:
        """Keep an image of one platform; returns its digest."""
        own = {"architecture": architecture, "os": "linux", "config": config}
        blob = self.put("", own, kind="blobs")
        return self.put(version, {"mediaType": MANIFEST, "config": {"digest": blob}})

    def push_index(self, version: str, **images: str) -> str:
        """Keep an index of images, by their architectures; returns its digest."""
        manifests = [
            {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}
            for architecture, digest in images.items()
        ]
        return self.put(version, {"mediaType": INDEX, "manifests": manifests})

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with a document, or say where a token is to be had."""
        self.asked.append(request.path)
        if request.path == "/token":
            allowed = self.keys and request.headers.get("Authorization") == self.keys
            return web.Response(
                body=self.token if allowed else b"{}", status=200 if allowed else 401
            )
        if self.keys and request.headers.get("Authorization") != "Bearer t":
            realm = f'Bearer realm="{request.url.origin()}/token",service="r",scope="pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": realm})
        kind, version = request.path.split("/")[-2:]
        body = self.documents.get((kind, version))
        return web.Response(status=404) if body is None else web.Response(body=body)


@asynccontextmanager
async def serving(registry: ImageRegistry) -> AsyncIterator[str]:
    """Serve it without TLS at the host:port that is given."""
    application = web.Application()
    application.router.add_get("/{path:.*}", registry.answer)
    async with TestServer(application) as server:
        yield f"{server.host}:{server.port}"
