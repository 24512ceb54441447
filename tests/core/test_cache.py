"""A cache holds what the store holds, whatever a watch has missed, in whatever order word comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.cache import ABSENCE_SECONDS, Cache
from pilotlight.errors import NotFoundError
from pilotlight.resources import (
    NAMESPACES_BY_ACCOUNT,
    Index,
    Key,
    Namespace,
    ObjectMeta,
    Secret,
)
from pilotlight.storage import Change
from tests.support.following import following
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BY_LABEL = Index(Namespace, lambda one: one.metadata.labels.values())
Heard = list[tuple[str | None, str | None]]


class Script:
    """A store whose watch tells what a test has written down, then falls silent."""

    def __init__(self, *changes: Change[Namespace]) -> None:
        self._changes = changes
        self.told = asyncio.Event()

    async def watch(
        self, _kind: type[Namespace], _namespace: str | None
    ) -> AsyncGenerator[Change[Namespace], None]:
        for change in self._changes:
            yield change
        self.told.set()
        await asyncio.Event().wait()


class Store(MemoryResources):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def get(self, kind: Any, key: Key) -> Any:
        self.reads += 1
        return await super().get(kind, key)


def named(name: str, version: int = 0, uid: str = "", **labels: str) -> Namespace:
    return Namespace(
        metadata=ObjectMeta(name=name, uid=uid, resource_version=str(version), labels=labels)
    )


def hear(cache: Cache) -> Heard:
    """Return the list of what is told of each change: the resource version before and after."""
    heard: Heard = []
    cache.on_change(
        Namespace, lambda before, after: heard.append((_version(before), _version(after)))
    )
    return heard


def _version(namespace: Namespace | None) -> str | None:
    return namespace.metadata.resource_version if namespace else None


async def settle() -> None:
    """Let the watch tell what was written."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_a_watch_does_not_tell_is_gone_once_it_is_synced() -> None:
    script: Any = Script(
        Change("present", named("stays", 1)),
        Change("present", named("goes", 2)),
        Change("synced"),
        Change("gone", key=Key("", "goes")),
        Change("present", named("comes", 3)),
    )
    cache = Cache(script, Namespace)
    cache.note(named("stale", 9))
    heard = hear(cache)
    async with following(cache):
        await script.told.wait()
    assert cache.synced.is_set()
    assert {one.metadata.name for one in cache.all(Namespace)} == {"stays", "comes"}
    assert heard == [
        (None, "9"), (None, "1"), (None, "2"), ("9", None), ("2", None), (None, "3"),
    ]  # fmt: skip


def test_word_that_comes_late_changes_nothing() -> None:
    cache = Cache(MemoryResources(), Namespace)
    heard = hear(cache)
    for version in (5, 4, 5, 6):
        cache.note(named("one", version))
    assert heard == [(None, "5"), ("5", "6")]


async def test_what_was_deleted_here_does_not_come_back_with_late_word() -> None:
    cache = Cache(MemoryResources(), Namespace)
    made = await cache.resources.create(named("one"))
    await cache.resources.delete(Namespace, made.key)
    cache.note(made)
    assert cache.get(Namespace, made.key) is None
    anew = await cache.resources.create(named("one"))
    cache.forget(Namespace, made.key, made.metadata.uid)
    assert cache.get(Namespace, made.key) == anew


async def test_what_is_written_is_known_at_once_and_told_once() -> None:
    cache = Cache(MemoryResources(), Namespace)
    heard = hear(cache)
    async with following(cache):
        await cache.synced.wait()
        made = await cache.resources.create(named("one"))
        assert cache.get(Namespace, made.key) == made
        labelled = made.metadata.model_copy(update={"labels": {"a": "b"}})
        changed = await cache.resources.replace(made.model_copy(update={"metadata": labelled}))
        assert cache.by(BY_LABEL, "b") == [changed]
        await settle()
        assert len(heard) == 2
        await cache.resources.delete(Namespace, made.key)
        assert cache.by(BY_LABEL, "b") == []
        await settle()
        assert len(heard) == 3


def test_an_index_follows_every_change() -> None:
    cache = Cache(MemoryResources(), Namespace)
    account = {"pilotlight.dev/account-id": "111122223333"}
    cache.note(named("one", 1, **account))
    assert [one.metadata.name for one in cache.by(NAMESPACES_BY_ACCOUNT, "111122223333")] == ["one"]
    cache.note(named("two", 2, **account))
    cache.note(named("one", 3))
    assert [one.metadata.name for one in cache.by(NAMESPACES_BY_ACCOUNT, "111122223333")] == ["two"]
    cache.forget(Namespace, Key("", "two"))
    assert cache.by(NAMESPACES_BY_ACCOUNT, "111122223333") == []


def test_who_listens_late_hears_what_is_there() -> None:
    cache = Cache(MemoryResources(), Namespace)
    cache.note(named("one", 1))
    assert hear(cache) == [(None, "1")]


async def test_what_is_not_known_is_read_once_a_second() -> None:
    store = Store()
    cache = Cache(store, Namespace)
    key = Key("", "one")
    for _ in range(3):
        assert await cache.find(Namespace, key) is None
    assert store.reads == 1
    await store.create(named("one"))
    assert await cache.find(Namespace, key) is None
    cache._absent.clear()
    assert await cache.find(Namespace, key) is not None
    assert await cache.find(Namespace, key) is not None
    assert store.reads == 2
    assert ABSENCE_SECONDS < 5, "what was made a moment ago is found"


async def test_only_what_is_followed_is_kept() -> None:
    """What no watch would tell of any more must not be believed for ever."""
    store = Store()
    cache = Cache(store, Secret, namespaces={Secret: "release"})
    for namespace in ("release", "team"):
        secret = Secret(metadata=ObjectMeta(name="one", namespace=namespace))
        await cache.resources.create(secret)
    await cache.resources.create(named("one"))
    assert [one.metadata.namespace for one in cache.all(Secret)] == ["release"]
    for _ in range(2):
        assert await cache.find(Secret, Key("team", "one")) is not None
        assert await cache.find(Namespace, Key("", "one")) is not None
    assert store.reads == 4


async def test_a_refresh_finds_what_no_watch_has_told() -> None:
    store = MemoryResources()
    cache = Cache(store, Namespace)
    for name in ("goes", "stays"):
        await cache.resources.create(named(name))
    await store.delete(Namespace, Key("", "goes"))
    await store.create(named("comes"))
    heard = hear(cache)
    heard.clear()
    await cache.refresh()
    assert {one.metadata.name for one in cache.all(Namespace)} == {"stays", "comes"}
    assert len(heard) == 2
    await cache.refresh()
    assert len(heard) == 2


async def test_a_refresh_brings_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes while the list is read is in the list, and stays away."""
    store = MemoryResources()
    cache = Cache(store, Namespace)
    gone = await cache.resources.create(named("goes"))
    listing = store.list

    async def slowly(kind: type[Namespace], namespace: str | None = None) -> list[Namespace]:
        found = await listing(kind, namespace)
        cache.forget(Namespace, gone.key, gone.metadata.uid)
        return found

    monkeypatch.setattr(store, "list", slowly)
    await cache.refresh()
    assert cache.get(Namespace, gone.key) is None


async def test_what_the_store_refuses_is_refused() -> None:
    cache = Cache(MemoryResources(), Namespace)
    with pytest.raises(NotFoundError):
        await cache.resources.delete(Namespace, Key("", "nobody"))
