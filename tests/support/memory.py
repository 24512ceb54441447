"""Stores in memory that can be told to die after their k-th write, as a killed process would."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import uuid
from typing import TYPE_CHECKING, Literal, TypeVar

from pilotlight.errors import (
    AlreadyExistsError,
    ArtifactMismatchError,
    ConflictError,
    NotFoundError,
)
from pilotlight.resources import Key, Resource
from pilotlight.storage import Artifact, Change

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping

R = TypeVar("R", bound=Resource)
_Watcher = tuple[type[Resource], str | None, asyncio.Queue[Change[Resource]]]


class KilledError(BaseException):
    """The process died here; no `except Exception` may survive it."""


class Writes:
    """Counts the writes of all stores together; dies right after the last one allowed."""

    def __init__(self) -> None:
        self.count = 0
        self.die_after: int | None = None

    def note(self) -> None:
        """Count one write that has just happened."""
        self.count += 1
        if self.count == self.die_after:
            raise KilledError


class MemoryResources:
    """A ResourceStore in memory; creation times ascend by a second each."""

    def __init__(self, writes: Writes | None = None) -> None:
        self.writes = writes or Writes()
        self._held: dict[tuple[type[Resource], Key], Resource] = {}
        self._watchers: list[_Watcher] = []
        self._versions = itertools.count(1)

    async def get(self, kind: type[R], key: Key) -> R:
        """Read one."""
        return self._find(kind, key).model_copy(deep=True)

    async def list(self, kind: type[R], namespace: str | None = None) -> list[R]:
        """Read all of a kind."""
        return [
            found.model_copy(deep=True)
            for (held, key), found in self._held.items()
            if held is kind and isinstance(found, kind) and namespace in {None, key.namespace}
        ]

    async def create(self, resource: R) -> R:
        """Write a new one."""
        if (type(resource), resource.key) in self._held:
            raise AlreadyExistsError(f"{resource.kind} {resource.key} is there already")
        version = next(self._versions)
        update = {
            "uid": str(uuid.UUID(int=version)),
            "generation": 1,
            "creation_timestamp": f"2026-01-01T00:{version // 60:02d}:{version % 60:02d}Z",
        }
        return self._store(_with_metadata(resource, update))

    async def replace(self, resource: R) -> R:
        """Write metadata and spec."""
        stored = self._find(type(resource), resource.key)
        if resource.metadata.resource_version not in {"", stored.metadata.resource_version}:
            raise ConflictError(f"{resource.kind} {resource.key} was changed")
        changed = getattr(resource, "spec", None) != getattr(stored, "spec", None)
        kept = {"status": getattr(stored, "status", None)} if hasattr(stored, "status") else {}
        update = {"generation": stored.metadata.generation + changed}
        return self._store(_with_metadata(resource.model_copy(update=kept), update))

    async def write_status(self, resource: R) -> R:
        """Write the status alone."""
        stored = self._find(type(resource), resource.key)
        status = getattr(resource, "status", None)
        return self._store(stored.model_copy(update={"status": status}))

    async def delete(self, kind: type[R], key: Key) -> None:
        """Delete one and what it owns."""
        gone = self._find(kind, key)
        del self._held[kind, key]
        for (held, owned_key), owned in list(self._held.items()):
            owners = (owned.metadata.model_extra or {}).get("ownerReferences", [])
            if any(owner["uid"] == gone.metadata.uid for owner in owners):
                self._tell("gone", self._held.pop((held, owned_key)))
        self._tell("gone", gone)
        self.writes.note()

    async def watch(
        self, kind: type[R], namespace: str | None = None
    ) -> AsyncGenerator[Change[R], None]:
        """Tell what is there, then `synced`, then every change."""
        queue: asyncio.Queue[Change[R]] = asyncio.Queue()
        self._watchers.append((kind, namespace, queue))  # type: ignore[arg-type] # told its own
        for found in await self.list(kind, namespace):
            yield Change("present", found)
        yield Change("synced")
        while True:
            yield await queue.get()

    def _find(self, kind: type[R], key: Key) -> R:
        found = self._held.get((kind, key))
        if not isinstance(found, kind):
            raise NotFoundError(f"no {kind.kind_name} {key}")
        return found

    def _store(self, resource: R) -> R:
        stored = _with_metadata(resource, {"resource_version": str(next(self._versions))})
        self._held[type(stored), stored.key] = stored
        self._tell("present", stored)
        self.writes.note()
        return stored.model_copy(deep=True)

    def _tell(self, what: Literal["present", "gone"], resource: Resource) -> None:
        for kind, namespace, queue in self._watchers:
            if isinstance(resource, kind) and namespace in {None, resource.metadata.namespace}:
                gone: Change[Resource] = Change("gone", key=resource.key, uid=resource.metadata.uid)
                told = Change("present", resource.model_copy(deep=True))
                queue.put_nowait(gone if what == "gone" else told)


class MemoryArtifacts:
    """An ArtifactStore in memory."""

    def __init__(self, writes: Writes | None = None) -> None:
        self.writes = writes or Writes()
        self.held: dict[str, bytes] = {}
        self.noted: dict[tuple[str, str], str] = {}
        self.owners: set[tuple[str, str]] = set()
        self.losses = 0

    async def put(self, sha256: str, content: AsyncIterator[bytes]) -> int:
        """Keep an artifact."""
        data = b"".join([chunk async for chunk in content])
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ArtifactMismatchError(f"the artifact is not {sha256}")
        self.held[sha256] = data
        self.writes.note()
        return len(data)

    async def size(self, sha256: str) -> int | None:
        """Return an artifact's size."""
        return len(self.held[sha256]) if sha256 in self.held else None

    async def read(self, sha256: str) -> Artifact:
        """Begin to read an artifact."""
        if sha256 not in self.held:
            raise NotFoundError(f"no artifact {sha256}")
        return Artifact(len(self.held[sha256]), self._content(self.held[sha256]))

    async def _content(self, held: bytes) -> AsyncIterator[bytes]:
        yield held

    async def note_owner(self, sha256: str, namespace: str) -> None:
        """Note who brought an artifact's bytes."""
        if sha256 not in self.held:
            raise NotFoundError(f"no artifact {sha256}")
        self.owners.add((sha256, namespace))

    async def belongs(self, sha256: str, namespace: str) -> bool:
        """Say whether an account brought an artifact's bytes."""
        return sha256 in self.held and (sha256, namespace) in self.owners

    async def compiled(self, sha256: str, tag: str) -> str | None:
        """Name what was compiled of a package."""
        return self.noted.get((sha256, tag))

    async def note_compiled(self, sha256: str, tag: str, compiled: str) -> None:
        """Keep that name."""
        if not {sha256, compiled} <= self.held.keys():
            raise NotFoundError(f"no artifact {sha256}, or none {compiled}")
        self.noted[sha256, tag] = compiled

    async def incarnation(self) -> str:
        """Say how often all was lost."""
        return str(self.losses)

    def lose(self) -> None:
        """Forget everything, as a database whose disk is gone."""
        self.losses += 1
        for kept in (self.held, self.noted, self.owners):
            kept.clear()

    async def collect(self, referenced: Collection[str], *, unused_seconds: float) -> int:
        """Delete what nobody refers to, whatever its age."""
        del unused_seconds  # nothing here has an age
        unused = self.held.keys() - set(referenced)
        for sha256 in unused:
            del self.held[sha256]
        return len(unused)


def _with_metadata(resource: R, update: Mapping[str, object]) -> R:
    metadata = resource.metadata.model_copy(update=update)
    return resource.model_copy(update={"metadata": metadata}, deep=True)
