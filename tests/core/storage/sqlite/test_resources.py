"""The embedded store keeps the Kubernetes API's rules, and loses no change on the way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import AlreadyExistsError, ConflictError, NotFoundError, UnavailableError
from pilotlight.resources import Function, Key, Namespace, ObjectMeta, Secret
from pilotlight.storage.sqlite.database import SqliteDatabase
from pilotlight.storage.sqlite.resources import SqliteResources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pilotlight.storage import Change

KEY = Key("default", "hello")


def function(name: str = "hello", *, memory: int = 128) -> Function:
    """Make a function that was never stored."""
    return Function.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "runtime": "python3.13",
                "handler": "index.handler",
                "memory": memory,
                "code": {"inline": "handler = print"},
            },
        }
    )


def secret(name: str, owner: Function) -> Secret:
    """Make a Secret that a function owns."""
    metadata = {
        "name": name,
        "namespace": "default",
        "ownerReferences": [{"kind": "Function", "uid": owner.metadata.uid}],
    }
    return Secret(metadata=ObjectMeta.model_validate(metadata), string_data={"KEY": "value"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteResources]:
    """Return an empty store."""
    opened = SqliteResources(tmp_path / "resources.sqlite")
    yield opened
    opened.close()


async def test_a_created_resource_has_a_uid_a_generation_and_no_status(
    store: SqliteResources,
) -> None:
    """What the writer says of them does not count."""
    wanted = function()
    wanted.metadata.generation = 9
    wanted.status.revision = "forged"

    created = await store.create(wanted)

    assert created.metadata.uid
    assert created.metadata.generation == 1
    assert created.status.revision is None
    assert await store.get(Function, KEY) == created


async def test_a_second_of_the_same_name_is_refused(store: SqliteResources) -> None:
    """The first one stays as it was."""
    first = await store.create(function())
    with pytest.raises(AlreadyExistsError, match="Function default/hello"):
        await store.create(function(memory=256))
    assert await store.get(Function, KEY) == first


async def test_only_a_changed_spec_is_a_new_generation(store: SqliteResources) -> None:
    """Labels and status move the version alone."""
    created = await store.create(function())
    created.metadata.labels["team"] = "one"
    labelled = await store.replace(created)
    labelled.spec.memory = 256
    changed = await store.replace(labelled)

    assert [labelled.metadata.generation, changed.metadata.generation] == [1, 2]
    versions = [int(r.metadata.resource_version) for r in (created, labelled, changed)]
    assert versions == sorted(set(versions))


async def test_a_stale_replace_is_refused(store: SqliteResources) -> None:
    """Optimistic concurrency: the reader before last loses."""
    stale = await store.create(function())
    fresh = stale.model_copy(deep=True)
    fresh.spec.memory = 256
    await store.replace(fresh)

    stale.spec.memory = 512
    with pytest.raises(ConflictError, match="resourceVersion"):
        await store.replace(stale)
    assert (await store.get(Function, KEY)).spec.memory == 256


async def test_a_status_is_written_whatever_the_spec_is_by_now(store: SqliteResources) -> None:
    """And it takes no older spec with it."""
    seen = await store.create(function())
    newer = seen.model_copy(deep=True)
    newer.spec.memory = 256
    await store.replace(newer)

    seen.status.revision = "0123456789abcdef"
    stored = await store.write_status(seen)

    assert stored.spec.memory == 256
    assert stored.status.revision == "0123456789abcdef"
    assert stored.metadata.generation == 2


async def test_a_status_of_a_deleted_namesake_is_refused(store: SqliteResources) -> None:
    """The new object of the old name is another object."""
    old = await store.create(function())
    await store.delete(Function, KEY)
    await store.create(function())
    with pytest.raises(NotFoundError):
        await store.write_status(old)


async def test_a_deletion_takes_what_the_resource_owns(store: SqliteResources) -> None:
    """Others' Secrets stay."""
    mine = await store.create(function())
    other = await store.create(function("other"))
    await store.create(secret("mine", mine))
    await store.create(secret("others", other))

    await store.delete(Function, KEY)

    assert [kept.metadata.name for kept in await store.list(Secret)] == ["others"]
    with pytest.raises(NotFoundError, match="no Function default/hello"):
        await store.delete(Function, KEY)


async def test_lists_are_of_a_kind_and_a_namespace(store: SqliteResources) -> None:
    """None means every namespace."""
    await store.create(function("b"))
    await store.create(function("a"))
    await store.create(Namespace(metadata=ObjectMeta(name="default")))

    assert [found.key.name for found in await store.list(Function)] == ["a", "b"]
    assert await store.list(Function, "elsewhere") == []
    assert [found.key for found in await store.list(Namespace)] == [Key("", "default")]


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    """Uids and versions included; versions go on from there."""
    first = SqliteResources(tmp_path / "resources.sqlite")
    created = await first.create(function())
    await first.delete(Function, (await first.create(function("gone"))).key)
    first.close()

    second = SqliteResources(tmp_path / "resources.sqlite")
    try:
        assert await second.list(Function) == [created]
        later = await second.create(function("later"))
        assert int(later.metadata.resource_version) > int(created.metadata.resource_version) + 2
    finally:
        second.close()


def test_a_file_that_is_no_database_says_which(tmp_path: Path) -> None:
    """The path is in the message."""
    (tmp_path / "resources.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(UnavailableError, match=r"resources\.sqlite"):
        SqliteResources(tmp_path / "resources.sqlite")


async def test_a_failed_operation_leaves_nothing(tmp_path: Path) -> None:
    """The transaction is rolled back and the next one works."""
    database = SqliteDatabase(tmp_path / "one.sqlite", "CREATE TABLE t (x INTEGER)")
    try:
        with pytest.raises(ZeroDivisionError):
            await database.run(
                lambda connection: connection.execute("INSERT INTO t VALUES (1)") and 1 // 0
            )
        with pytest.raises(UnavailableError, match="no such table"):
            await database.run(lambda connection: connection.execute("SELECT * FROM missing"))
        rows = await database.run(lambda c: c.execute("SELECT count(*) FROM t").fetchone())
        assert rows == (0,)
    finally:
        database.close()


def told(change: Change[Function]) -> tuple[str, str | None]:
    """Say what a change told, short."""
    key = change.resource.key if change.resource else change.key
    return change.kind, key.name if key else None


async def take(changes: AsyncIterator[Change[Function]], count: int) -> list[Change[Function]]:
    """Take some changes."""
    return [await anext(changes) for _ in range(count)]


async def test_a_watch_tells_what_is_there_then_every_change(store: SqliteResources) -> None:
    """Each write once, in order; what changed nothing is not told; other kinds are not."""
    await store.create(function("a"))
    async with aclosing(store.watch(Function)) as changes:
        assert [told(change) for change in await take(changes, 2)] == [
            ("present", "a"),
            ("synced", None),
        ]
        created = await store.create(function("b"))
        await store.create(Namespace(metadata=ObjectMeta(name="default")))
        await store.replace(created)
        await store.delete(Function, Key("default", "a"))

        assert [told(change) for change in await take(changes, 2)] == [
            ("present", "b"),
            ("gone", "a"),
        ]


async def test_a_watch_of_one_namespace_tells_of_no_other(store: SqliteResources) -> None:
    for name in ("team", "other"):
        await store.create(_in_namespace(function("before"), name))
    async with aclosing(store.watch(Function, "team")) as changes:
        first = await take(changes, 2)
        for name in ("other", "team"):
            await store.create(_in_namespace(function("after"), name))
        assert [told(change) for change in [*first, *await take(changes, 1)]] == [
            ("present", "before"), ("synced", None), ("present", "after"),
        ]  # fmt: skip
        assert first[0].resource is not None
        assert first[0].resource.metadata.namespace == "team"


def _in_namespace(resource: Function, namespace: str) -> Function:
    resource.metadata.namespace = namespace
    return resource


async def test_owned_secrets_are_told_gone(store: SqliteResources) -> None:
    """A cascade is told to those who watch the owned kind."""
    owner = await store.create(function())
    await store.create(secret("owned", owner))
    async with aclosing(store.watch(Secret)) as changes:
        assert [(await anext(changes)).kind for _ in range(2)] == ["present", "synced"]
        await store.delete(Function, KEY)
        assert (await anext(changes)).kind == "gone"


async def test_no_change_is_lost_between_listing_and_following(store: SqliteResources) -> None:
    """Ten watchers that begin amid a hundred writes all end at the last version."""

    async def last_version(final: str) -> list[int]:
        seen: list[int] = []
        async with aclosing(store.watch(Function)) as changes:
            async for change in changes:
                if change.resource:
                    seen.append(int(change.resource.metadata.resource_version))
                    if change.resource.metadata.name == final:
                        return seen
        raise AssertionError("a watch ended")

    watchers = []
    for number in range(100):
        await store.create(function(f"f{number:03}"))
        if number % 10 == 0:
            watchers.append(asyncio.create_task(last_version("f099")))
    for seen in await asyncio.gather(*watchers):
        assert seen == sorted(set(seen))
        assert len(seen) == 100


async def test_a_watcher_may_change_what_it_got(store: SqliteResources) -> None:
    """Its neighbour sees what was written."""
    async with aclosing(store.watch(Function)) as one, aclosing(store.watch(Function)) as two:
        await take(one, 1)
        await take(two, 1)
        await store.create(function())
        (first,) = await take(one, 1)
        assert first.resource
        first.resource.spec.memory = 999
        (second,) = await take(two, 1)
        assert second.resource
        assert second.resource.spec.memory == 128
