"""Resources in the Kubernetes API: `ResourceStore` for a cluster.

Only the account namespaces that it was given are read and written, so that the roles of operator
and gateway need no right anywhere else. Of the release's namespace it sees the access keys.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from pilotlight.errors import InvalidResourceError, NotFoundError
from pilotlight.names import ACCESS_KEY_LABEL
from pilotlight.resources import Key, Namespace, Resource, Secret
from pilotlight.storage.interfaces import Change

from .api import JSON_PATCH
from .watch import Collection, follow, list_all
from .wire import collection_path, from_wire, object_path, to_wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from .api import Json, KubernetesApi
    from .watch import RawChange

__all__ = ["KubernetesResources"]

R = TypeVar("R", bound=Resource)

log = structlog.get_logger()


class KubernetesResources:
    """The resources of some namespaces."""

    def __init__(
        self, api: KubernetesApi, namespaces: Iterable[str], *, release_namespace: str | None = None
    ) -> None:
        self._api = api
        self._namespaces = tuple(namespaces)
        self._release_namespace = release_namespace

    async def get(self, kind: type[R], key: Key) -> R:
        """Read one; raises NotFoundError, also for a namespace that is not served."""
        self._refuse_stranger(kind, key)
        return from_wire(kind, await self._api.request("GET", object_path(kind, key)))

    async def list(self, kind: type[R], namespace: str | None = None) -> list[R]:
        """Read all of a kind; one that is not what its model says is logged and left out."""
        found: list[R] = []
        for collection in self._collections(kind, namespace):
            items, _ = await list_all(self._api, collection)
            found += [one for item in items if (one := _read(kind, item)) is not None]
        return found

    async def create(self, resource: R) -> R:
        """Write a new one; raises AlreadyExistsError, InvalidResourceError."""
        kind = type(resource)
        self._refuse_stranger(kind, resource.key)
        path = collection_path(kind, resource.metadata.namespace)
        return from_wire(kind, await self._api.request("POST", path, body=to_wire(resource)))

    async def replace(self, resource: R) -> R:
        """Write metadata and spec if nobody else did since; raises ConflictError."""
        kind = type(resource)
        self._refuse_stranger(kind, resource.key)
        path = object_path(kind, resource.key)
        # Kubernetes' own kinds hold more than their models; custom resources do not.
        own = kind in {Secret, Namespace}
        stored = await self._api.request("GET", path) if own else None
        return from_wire(kind, await self._api.request("PUT", path, body=to_wire(resource, stored)))

    async def write_status(self, resource: R) -> R:
        """Write the status alone; raises NotFoundError."""
        kind = type(resource)
        self._refuse_stranger(kind, resource.key)
        path = f"{object_path(kind, resource.key)}/status"
        # A merge patch would keep what the new status no longer has.
        patch: list[Json] = [
            {"op": "add", "path": "/status", "value": resource.to_json().get("status", {})}
        ]
        answer = await self._api.request("PATCH", path, body=patch, content_type=JSON_PATCH)
        return from_wire(kind, answer)

    async def delete(self, kind: type[R], key: Key) -> None:
        """Delete one; what it owns is collected by Kubernetes."""
        self._refuse_stranger(kind, key)
        query = {"propagationPolicy": "Background"}
        await self._api.request("DELETE", object_path(kind, key), query=query)

    async def watch(
        self, kind: type[R], namespace: str | None = None
    ) -> AsyncGenerator[Change[R], None]:
        """Tell what is there, then `synced`, then every change; for ever, through disconnects."""
        collections = self._collections(kind, namespace)
        unsynced = len(collections)
        async with aclosing(_merge(self._api, collections)) as changes:
            async for change in changes:
                if change.kind == "synced":
                    unsynced -= 1
                    if not unsynced:
                        yield Change("synced")
                elif change.kind == "gone":
                    yield _gone(change.object["metadata"])
                elif (resource := _read(kind, change.object)) is not None:
                    yield Change("present", resource)

    def _collections(self, kind: type[Resource], namespace: str | None) -> Sequence[Collection]:
        if kind is Namespace:
            path = collection_path(kind)
            named = [{"fieldSelector": f"metadata.name={name}"} for name in self._namespaces]
            return [Collection(path, selector) for selector in named]
        if kind.cluster_scoped:
            return [Collection(collection_path(kind))]
        wanted = [name for name in self._namespaces if namespace in {None, name}]
        accounts = [Collection(collection_path(kind, name)) for name in wanted]
        return [*accounts, *self._access_keys(namespace)] if kind is Secret else accounts

    def _access_keys(self, namespace: str | None) -> Sequence[Collection]:
        release = self._release_namespace
        if not release or release in self._namespaces or namespace not in {None, release}:
            return []
        selector = {"labelSelector": f"{ACCESS_KEY_LABEL}=true"}
        return [Collection(collection_path(Secret, release), selector)]

    def _refuse_stranger(self, kind: type[Resource], key: Key) -> None:
        if kind is Namespace:
            known = key.name in self._namespaces
        elif kind is Secret:
            known = key.namespace in {*self._namespaces, self._release_namespace}
        else:
            known = kind.cluster_scoped or key.namespace in self._namespaces
        if not known:
            raise NotFoundError(f"no {kind.kind_name} {key}: the namespace is not an account here")


def _read(kind: type[R], item: Json) -> R | None:
    try:
        return from_wire(kind, item)
    except InvalidResourceError as error:
        log.warning("resource unreadable", kind=kind.kind_name, error=str(error))
        return None


def _gone(metadata: Json) -> Change[Any]:
    key = Key(metadata.get("namespace", ""), metadata["name"])
    return Change("gone", key=key, uid=metadata.get("uid", ""))


async def _merge(
    api: KubernetesApi, collections: Sequence[Collection]
) -> AsyncGenerator[RawChange, None]:
    """Follow several collections as one."""
    changes: asyncio.Queue[RawChange] = asyncio.Queue()

    async def pass_on(collection: Collection) -> None:
        async with aclosing(follow(api, collection)) as followed:
            async for change in followed:
                changes.put_nowait(change)

    tasks = [asyncio.create_task(pass_on(collection)) for collection in collections]
    try:
        while True:
            yield await changes.get()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
