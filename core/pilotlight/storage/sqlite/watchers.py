"""Watchers of an embedded store: each gets every change once, in the order of the commits.

A watcher subscribes first and reads the store after that, so a change may come both ways; its
number tells, and `Feed.follow` drops what the reading had already seen.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pilotlight.resources import Resource
from pilotlight.storage.interfaces import Change

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

__all__ = ["Commit", "Feed", "Watchers"]

R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Commit:
    """A resource that was written or deleted, and its place in the order of all commits."""

    number: int
    kind: Literal["present", "gone"]
    resource: Resource


class Feed(Generic[R]):
    """What one watcher has not seen yet."""

    def __init__(self, kind: type[R], namespace: str | None) -> None:
        self._kind = kind
        self._namespace = namespace
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[tuple[int, Change[R]]] = asyncio.Queue()

    def tell(self, commit: Commit) -> None:
        """Add a commit, if it is one that is watched; from any thread."""
        resource = commit.resource
        wanted = self._namespace in {None, resource.metadata.namespace}
        if isinstance(resource, self._kind) and wanted:
            change = _change(commit.kind, resource)
            self._loop.call_soon_threadsafe(self._waiting.put_nowait, (commit.number, change))

    async def follow(self, *, after: int) -> AsyncGenerator[Change[R], None]:
        """Return the changes after a commit, for ever."""
        while True:
            number, change = await self._waiting.get()
            if number > after:
                yield change


class Watchers:
    """Everybody who watches a store."""

    def __init__(self) -> None:
        self._feeds: tuple[Feed[Any], ...] = ()

    @contextmanager
    def subscribe(self, kind: type[R], namespace: str | None) -> Iterator[Feed[R]]:
        """Collect the changes of a kind, in one namespace or all, while the block runs."""
        feed = Feed(kind, namespace)
        # Replaced, never changed in place: the writer's thread may be walking the old tuple.
        self._feeds = (*self._feeds, feed)
        try:
            yield feed
        finally:
            self._feeds = tuple(other for other in self._feeds if other is not feed)

    def tell(self, commit: Commit) -> None:
        """Tell every watcher; from the writer's thread."""
        for feed in self._feeds:
            feed.tell(commit)


def _change(kind: Literal["present", "gone"], resource: R) -> Change[R]:
    if kind == "gone":
        return Change("gone", key=resource.key, uid=resource.metadata.uid)
    # A copy, since each watcher may do with its resource what it likes.
    return Change("present", resource.model_copy(deep=True))
