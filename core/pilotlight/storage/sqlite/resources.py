"""Resources of one machine: the Kubernetes API's rules over one SQLite table.

Versions, generations, the status apart from the spec and the deletion of what a resource owns are
as on Kubernetes (API conventions, "Concurrency Control and Consistency"), so that the parts above
cannot tell the two apart. Watches are in `watchers`, the file and its thread in `database`.
"""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pilotlight.errors import AlreadyExistsError, ConflictError, NotFoundError
from pilotlight.resources import Key, Resource, now
from pilotlight.resources.registry import KINDS
from pilotlight.storage.interfaces import Change

from .database import SqliteDatabase
from .watchers import Commit, Watchers

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncGenerator
    from pathlib import Path

__all__ = ["SqliteResources"]

R = TypeVar("R", bound=Resource)
Body = dict[str, Any]
"""A resource as its manifest has it."""
Gone = list[tuple[int, str, Body]]
"""What a deletion deleted: the number of its commit, its kind and what was there."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    resource_version INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commits (last INTEGER NOT NULL);
INSERT INTO commits SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM commits);
"""
_OWNED = """
SELECT kind, body FROM resources WHERE namespace = ? AND EXISTS (
    SELECT 1 FROM json_each(body, '$.metadata.ownerReferences')
    WHERE json_extract(value, '$.uid') = ?
)
"""


class SqliteResources:
    """A `ResourceStore` in one file."""

    def __init__(self, path: Path) -> None:
        self._database = SqliteDatabase(path, _SCHEMA)
        self._watchers = Watchers()

    async def get(self, kind: type[R], key: Key) -> R:
        """Read one; raises NotFoundError."""
        body = await self._database.run(partial(_read, kind, key))
        return kind.model_validate(body)

    async def list(self, kind: type[R], namespace: str | None = None) -> list[R]:
        """Read all of a kind, of one namespace or of every one, in the order of their names."""
        texts, _ = await self._database.run(partial(_snapshot, kind, namespace))
        return [kind.model_validate_json(text) for text in texts]

    async def create(self, resource: R) -> R:
        """Write a new one with a uid of its own and no status; raises AlreadyExistsError."""
        return await self._write(partial(_create, resource))

    async def replace(self, resource: R) -> R:
        """Write metadata and spec if nobody else did since; raises ConflictError, NotFoundError.

        What is there already is not written again and tells no watcher.
        """
        return await self._write(partial(_replace, resource))

    async def write_status(self, resource: R) -> R:
        """Write the status alone, whatever the spec is by now; raises NotFoundError."""
        return await self._write(partial(_write_status, resource))

    async def delete(self, kind: type[R], key: Key) -> None:
        """Delete one and what it owns; raises NotFoundError."""
        await self._database.run(partial(_delete, kind, key), committed=self._tell_gone)

    async def watch(
        self, kind: type[R], namespace: str | None = None
    ) -> AsyncGenerator[Change[R], None]:
        """Tell what is there, then `synced`, then every change."""
        with self._watchers.subscribe(kind, namespace) as feed:
            texts, seen = await self._database.run(partial(_snapshot, kind, namespace))
            for text in texts:
                yield Change("present", kind.model_validate_json(text))
            del texts
            yield Change("synced")
            async for change in feed.follow(after=seen):
                yield change

    def close(self) -> None:
        """Finish what has begun and close the file."""
        self._database.close()

    async def _write(self, operation: partial[tuple[R, bool]]) -> R:
        stored, _ = await self._database.run(operation, committed=self._tell_written)
        return stored

    def _tell_written(self, written: tuple[Resource, bool]) -> None:
        stored, changed = written
        if changed:
            version = int(stored.metadata.resource_version)
            self._watchers.tell(Commit(version, "present", stored))

    def _tell_gone(self, gone: Gone) -> None:
        for number, kind_name, body in gone:
            self._watchers.tell(Commit(number, "gone", KINDS[kind_name].model_validate(body)))


def _create(resource: R, connection: sqlite3.Connection) -> tuple[R, bool]:
    kind, key = type(resource), resource.key
    if _find(kind, key, connection) is not None:
        raise AlreadyExistsError(f"{_title(kind, key)} is there already")
    body = resource.to_json()
    body.pop("status", None)
    body["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": now()}
    return _store(resource, body, connection), True


def _replace(resource: R, connection: sqlite3.Connection) -> tuple[R, bool]:
    kind, key = type(resource), resource.key
    current = _read(kind, key, connection)
    has, came = current["metadata"]["resourceVersion"], resource.metadata.resource_version
    if came != has:
        raise ConflictError(
            f"{_title(kind, key)} was changed meanwhile: "
            f"resourceVersion {came or 'none'} came, {has} is there"
        )
    wanted = _with_kept_fields(resource.to_json(), current)
    if wanted == current:
        return kind.model_validate(current), False
    if _content(wanted) != _content(current):
        wanted["metadata"]["generation"] += 1
    return _store(resource, wanted, connection), True


def _write_status(resource: R, connection: sqlite3.Connection) -> tuple[R, bool]:
    kind, key = type(resource), resource.key
    current = _read(kind, key, connection)
    if resource.metadata.uid not in {"", current["metadata"]["uid"]}:
        raise NotFoundError(f"{_title(kind, key)} was deleted and made anew")
    wanted = current | {"status": resource.to_json().get("status", {})}
    if wanted == current:
        return kind.model_validate(current), False
    return _store(resource, wanted, connection), True


def _delete(kind: type[Resource], key: Key, connection: sqlite3.Connection) -> Gone:
    doomed = [(kind.kind_name, _read(kind, key, connection))]
    gone: Gone = []
    while doomed:
        kind_name, body = doomed.pop()
        metadata = body["metadata"]
        cursor = connection.execute(
            "DELETE FROM resources WHERE kind = ? AND namespace = ? AND name = ?",
            (kind_name, metadata["namespace"], metadata["name"]),
        )
        if cursor.rowcount:
            gone.append((_next_commit(connection), kind_name, body))
        owned = connection.execute(_OWNED, (metadata["namespace"], metadata["uid"]))
        doomed += [(name, json.loads(text)) for name, text in owned]
    return gone


def _with_kept_fields(wanted: Body, current: Body) -> Body:
    """Keep what a writer of the spec has no say in."""
    kept = ("uid", "resourceVersion", "generation", "creationTimestamp")
    wanted["metadata"] |= {name: current["metadata"][name] for name in kept}
    wanted.pop("status", None)
    return wanted | ({"status": current["status"]} if "status" in current else {})


def _content(body: Body) -> Body:
    return {name: part for name, part in body.items() if name not in {"metadata", "status"}}


def _store(resource: R, body: Body, connection: sqlite3.Connection) -> R:
    number = _next_commit(connection)
    metadata = body["metadata"] | {"resourceVersion": str(number)}
    stored = type(resource).model_validate(body | {"metadata": metadata})
    connection.execute(
        "REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            type(resource).kind_name,
            *resource.key,
            metadata["uid"],
            number,
            metadata["generation"],
            json.dumps(stored.to_json(), ensure_ascii=False),
        ),
    )
    return stored


def _next_commit(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("UPDATE commits SET last = last + 1 RETURNING last").fetchone()
    return int(number)


def _read(kind: type[Resource], key: Key, connection: sqlite3.Connection) -> Body:
    body = _find(kind, key, connection)
    if body is None:
        raise NotFoundError(f"there is no {_title(kind, key)}")
    return body


def _find(kind: type[Resource], key: Key, connection: sqlite3.Connection) -> Body | None:
    row = connection.execute(
        "SELECT body FROM resources WHERE kind = ? AND namespace = ? AND name = ?",
        (kind.kind_name, *key),
    ).fetchone()
    return json.loads(row[0]) if row else None


def _snapshot(
    kind: type[Resource], namespace: str | None, connection: sqlite3.Connection
) -> tuple[list[str], int]:
    """Read all of a kind, as JSON, and the number of the last commit that it shows."""
    rows = connection.execute(
        "SELECT body FROM resources WHERE kind = ?1 AND (?2 IS NULL OR namespace = ?2) "
        "ORDER BY namespace, name",
        (kind.kind_name, namespace),
    )
    texts = [text for (text,) in rows]
    (seen,) = connection.execute("SELECT last FROM commits").fetchone()
    return texts, int(seen)


def _title(kind: type[Resource], key: Key) -> str:
    return f"{kind.kind_name} {key}"
