"""The resources that a process follows, in memory: one watch a kind, whoever reads it.

A process makes one `Cache` over its store and hands it to everything that reads resources: nobody
else watches or lists. `get`, `all` and `by` answer from memory, `by` through an index of the kind's
own file. What is read and written through `Cache.resources` is known here at once, so a client
reads what it has just written; the watch tells of everybody else's changes. Where kopf watches
instead (`pilotlight_operator.feeds.kopf`), it calls `note` and `forget`.

What comes out of a cache is everybody's: it is copied, never changed in place.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import NotFoundError
from .resources import Key, Resource

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable, Iterable, Iterator, Mapping

    from .resources import Index
    from .storage import Change, ResourceStore

__all__ = ["Cache"]

ABSENCE_SECONDS = 1.0
"""How long it is believed that what was not in the store is not there."""
MOST_ABSENCES = 10_000

R = TypeVar("R", bound=Resource)


class Cache:
    """The resources of some kinds, and word of every change of them."""

    def __init__(
        self,
        store: ResourceStore,
        *kinds: type[Resource],
        namespaces: Mapping[type[Resource], str] | None = None,
    ) -> None:
        """Follow `kinds` in all namespaces of the store, or in the one that `namespaces` says."""
        self.resources: ResourceStore = _WriteThrough(store, self)
        self.synced = asyncio.Event()
        """Set once everything that was there is known."""
        self._store = store
        self._unsynced = set(kinds)
        self._informers: dict[type[Resource], _Informer[Any]] = {
            kind: _Informer((namespaces or {}).get(kind)) for kind in kinds
        }
        self._absent: dict[tuple[type[Resource], Key], float] = {}

    @property
    def kinds(self) -> Iterable[type[Resource]]:
        """What is followed."""
        return self._informers.keys()

    def get(self, kind: type[R], key: Key) -> R | None:
        """Return one that is known."""
        return self._informer(kind).get(key)

    def all(self, kind: type[R], namespace: str | None = None) -> Iterator[R]:
        """Return those of a namespace, or of all."""
        return iter(list(self._informer(kind).all(namespace)))

    def by(self, index: Index[R], value: Hashable) -> list[R]:
        """Return those that an index has under a value."""
        return self._informer(index.kind).by(index, value)

    async def find(self, kind: type[R], key: Key) -> R | None:
        """Return one, reading the store once where it is not known.

        Its absence is believed for a second: what was made a moment ago is found, what is asked
        for again and again costs nothing. Of a kind that is not followed the store is read.
        """
        known = self.get(kind, key) if kind in self._informers else None
        if known is not None or self._is_absent(kind, key):
            return known
        try:
            return await self.resources.get(kind, key)
        except NotFoundError:
            self._note_absence(kind, key)
            return None

    def on_change(self, kind: type[R], listener: Callable[[R | None, R | None], None]) -> None:
        """Call a listener with a resource before and after each change; None where it is not.

        What is known already comes first.
        """
        self._informer(kind).add(listener)

    def note(self, resource: Resource) -> None:
        """Take in what a resource is now, unless something newer is known."""
        informer = self._informers.get(type(resource))
        if informer is not None and informer.follows(resource.key):
            self._absent.pop((type(resource), resource.key), None)
            informer.put(resource)

    def forget(self, kind: type[Resource], key: Key, uid: str = "") -> None:
        """Take in that a resource is gone; one of another `uid` may be in its place."""
        if kind in self._informers:
            self._informers[kind].remove(key, uid)

    def note_deleted(self, kind: type[Resource], key: Key) -> None:
        """Forget a resource that was deleted here; older word of it, still to come, is ignored."""
        if kind in self._informers:
            self._informers[kind].delete(key)

    async def run(self, *kinds: type[Resource]) -> None:
        """Follow the store, for ever; these kinds, or all."""
        async with asyncio.TaskGroup() as watches:
            for kind in kinds or self.kinds:
                watches.create_task(self._watch(kind))

    def mark_synced(self, *kinds: type[Resource]) -> None:
        """Take in that all resources of some kinds have been told."""
        self._unsynced.difference_update(kinds)
        if not self._unsynced:
            self.synced.set()

    async def refresh(self, *kinds: type[Resource], namespace: str | None = None) -> None:
        """Read these kinds anew, or all: finds what a watch has not told."""
        for kind in kinds or tuple(self._informers):
            informer = self._informers[kind]
            before = {one.key: one.metadata.uid for one in informer.all(namespace)}
            for resource in await self._store.list(kind, informer.namespace or namespace):
                known = before.pop(resource.key, None)
                if known != resource.metadata.uid or informer.get(resource.key) is not None:
                    self.note(resource)  # else it went while the list was read
            for key, uid in before.items():
                self.forget(kind, key, uid)

    async def _watch(self, kind: type[R]) -> None:
        informer = self._informers[kind]
        untold = {known.key for known in self.all(kind)}
        async with aclosing(self._store.watch(kind, informer.namespace)) as changes:
            async for change in changes:
                self._take(kind, change, untold)

    def _take(self, kind: type[R], change: Change[R], untold: set[Key]) -> None:
        if change.resource is not None:
            untold.discard(change.resource.key)
            self.note(change.resource)
        elif change.key is not None:
            self.forget(kind, change.key, change.uid)
        else:
            for key in untold:
                self.forget(kind, key)
            untold.clear()
            self.mark_synced(kind)

    def _informer(self, kind: type[R]) -> _Informer[R]:
        return self._informers[kind]

    def _is_absent(self, kind: type[Resource], key: Key) -> bool:
        since = self._absent.get((kind, key))
        return since is not None and time.monotonic() - since < ABSENCE_SECONDS

    def _note_absence(self, kind: type[Resource], key: Key) -> None:
        if len(self._absent) >= MOST_ABSENCES:
            self._absent.clear()
        self._absent[kind, key] = time.monotonic()


class _Informer(Generic[R]):
    """What is known of one kind."""

    def __init__(self, namespace: str | None) -> None:
        self.namespace = namespace
        self._known: defaultdict[str, dict[str, R]] = defaultdict(dict)
        """By namespace and name."""
        self._indexes: dict[Index[R], defaultdict[Hashable, dict[Key, R]]] = {}
        self._listeners: list[Callable[[R | None, R | None], None]] = []
        self._tombstones: set[str] = set()
        """Uids of what was deleted here, and what the watch has not told yet."""

    def follows(self, key: Key) -> bool:
        """Whether changes of that resource are told."""
        return self.namespace in {None, key.namespace}

    def get(self, key: Key) -> R | None:
        known = self._known.get(key.namespace)
        return None if known is None else known.get(key.name)

    def all(self, namespace: str | None) -> Iterator[R]:
        wanted = self._known if namespace is None else [namespace]
        return (one for name in wanted for one in self._known.get(name, {}).values())

    def by(self, index: Index[R], value: Hashable) -> list[R]:
        if index not in self._indexes:
            self._indexes[index] = defaultdict(dict)
            for resource in self.all(None):
                self._add(index, resource)
        return list(self._indexes[index].get(value, {}).values())

    def add(self, listener: Callable[[R | None, R | None], None]) -> None:
        self._listeners.append(listener)
        for resource in list(self.all(None)):
            listener(None, resource)

    def put(self, resource: R) -> None:
        before = self.get(resource.key)
        if resource.metadata.uid in self._tombstones:
            return
        if before is None or _is_newer(resource, before):
            self._change(before, resource.compact())

    def remove(self, key: Key, uid: str) -> None:
        self._tombstones.discard(uid)
        before = self.get(key)
        if before is not None and uid in {"", before.metadata.uid}:
            self._change(before, None)

    def delete(self, key: Key) -> None:
        before = self.get(key)
        if before is not None:
            self._change(before, None)
            if before.metadata.uid:
                self._tombstones.add(before.metadata.uid)

    def _change(self, before: R | None, after: R | None) -> None:
        if before is not None:
            del self._known[before.metadata.namespace][before.metadata.name]
            for index in self._indexes:
                self._drop(index, before)
        if after is not None:
            self._known[after.metadata.namespace][after.metadata.name] = after
            for index in self._indexes:
                self._add(index, after)
        for listener in self._listeners:
            listener(before, after)

    def _add(self, index: Index[R], resource: R) -> None:
        for value in index.values(resource):
            self._indexes[index][value][resource.key] = resource

    def _drop(self, index: Index[R], resource: R) -> None:
        found = self._indexes[index]
        for value in set(index.values(resource)):
            found[value].pop(resource.key, None)
            if not found[value]:
                del found[value]


class _WriteThrough:
    """A store whose answers a cache takes in: what was written is known before the watch tells."""

    def __init__(self, store: ResourceStore, cache: Cache) -> None:
        self._store = store
        self._cache = cache

    async def get(self, kind: type[R], key: Key) -> R:
        return self._noted(await self._store.get(kind, key))

    async def list(self, kind: type[R], namespace: str | None = None) -> list[R]:
        return await self._store.list(kind, namespace)

    async def create(self, resource: R) -> R:
        return self._noted(await self._store.create(resource))

    async def replace(self, resource: R) -> R:
        return self._noted(await self._store.replace(resource))

    async def write_status(self, resource: R) -> R:
        return self._noted(await self._store.write_status(resource))

    async def delete(self, kind: type[R], key: Key) -> None:
        await self._store.delete(kind, key)
        self._cache.note_deleted(kind, key)

    def watch(self, kind: type[R], namespace: str | None = None) -> AsyncGenerator[Change[R], None]:
        return self._store.watch(kind, namespace)

    def _noted(self, resource: R) -> R:
        self._cache.note(resource)
        return resource


def _is_newer(after: Resource, before: Resource) -> bool:
    """Compare resource versions, which ascend within a kind; one that is no number is new."""
    new, old = after.metadata.resource_version, before.metadata.resource_version
    return not (new.isdecimal() and old.isdecimal()) or int(new) > int(old)
