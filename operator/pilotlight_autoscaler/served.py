"""What may be run: every revision that a function serves or a version is, in memory.

Fed by the resources' watch, so that a cold start waits for no read; what is not known yet is read
once. Whether it may still be run is decided here, not by the gateway that claims it.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pilotlight.claims import RevisionKey
from pilotlight.errors import NotFoundError, RevisionGoneError
from pilotlight.publishing import versions_of
from pilotlight.resources import (
    Configuration,
    Function,
    FunctionVersion,
    Key,
    Resource,
    owner_uid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from pilotlight.storage import ResourceStore

__all__ = ["LATEST", "Runnable", "Served"]

R = TypeVar("R", bound=Resource)

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class Runnable:
    """A revision's configuration, and whose it is."""

    function_name: str
    version: str
    """`$LATEST` or a number."""
    function_uid: str
    configuration: Configuration


class Served:
    """The revisions that may be run."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources
        self._known: dict[RevisionKey, Runnable] = {}
        self._of: dict[tuple[type, Key], RevisionKey] = {}
        self._followed: set[type] = set()

    async def find(self, revision: RevisionKey) -> Runnable:
        """Give a revision; raises RevisionGoneError where it is not served any more."""
        if revision in self._known and self._followed == {Function, FunctionVersion}:
            return self._known[revision]
        await self._read(revision)
        if revision not in self._known:
            raise RevisionGoneError(
                f"{revision} was claimed, the function serves revision {self._latest(revision)}"
            )
        return self._known[revision]

    def _latest(self, revision: RevisionKey) -> str | None:
        latest = self._of.get((Function, Key(revision.namespace, revision.function)))
        return latest.revision if latest else None

    async def _read(self, revision: RevisionKey) -> None:
        key = Key(revision.namespace, revision.function)
        try:
            self._learn_function(await self._resources.get(Function, key))
        except NotFoundError as error:
            raise RevisionGoneError(f"{revision} was claimed, the function is gone") from error
        if revision not in self._known:
            for version in await versions_of(self._resources, key):
                self._learn_version(version)

    def background(self) -> Iterable[Coroutine[Any, Any, None]]:
        """Give the work that follows the resources, for ever."""
        yield self._follow(Function, self._learn_function)
        yield self._follow(FunctionVersion, self._learn_version)

    async def _follow(self, kind: type[R], learn: Callable[[R], None]) -> None:
        async with aclosing(self._resources.watch(kind)) as changes:
            told: set[Key] = set()
            async for change in changes:
                if change.resource is None:
                    self._forget_all_but(told, kind)
                    self._followed.add(kind)
                elif change.kind == "present":
                    told.add(change.resource.key)
                    learn(change.resource)
                else:
                    told.discard(change.resource.key)
                    self._forget(kind, change.resource.key)

    def _learn_function(self, function: Function) -> None:
        status = function.status
        if status.revision is None or status.configuration is None:
            return
        revision = RevisionKey(*function.key, status.revision)
        runnable = Runnable(
            function.function_name, LATEST, function.metadata.uid, status.configuration
        )
        self._learn(Function, function.key, revision, runnable)

    def _learn_version(self, version: FunctionVersion) -> None:
        spec = version.spec
        revision = RevisionKey(version.metadata.namespace, spec.function, spec.revision)
        uid = owner_uid(version.metadata, Function.kind_name) or ""
        runnable = Runnable(spec.function_name, version.number, uid, spec.configuration)
        self._learn(FunctionVersion, version.key, revision, runnable)

    def _learn(self, kind: type, key: Key, revision: RevisionKey, runnable: Runnable) -> None:
        before = self._of.get((kind, key))
        if before is not None and before != revision:
            self._known.pop(before, None)
        self._of[kind, key] = revision
        self._known[revision] = runnable

    def _forget(self, kind: type, key: Key) -> None:
        revision = self._of.pop((kind, key), None)
        if revision is not None:
            self._known.pop(revision, None)

    def _forget_all_but(self, told: set[Key], kind: type) -> None:
        for known, key in list(self._of):
            if known is kind and key not in told:
                self._forget(kind, key)
