"""What may be run: every revision that a function serves or a version is, in memory.

Follows the cache, so that a cold start waits for no read; what is not known yet is read once.
Whether it may still be run is decided here, not by the gateway that claims it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.claims import RevisionKey
from pilotlight.errors import NotFoundError, RevisionGoneError
from pilotlight.publishing import version_revision
from pilotlight.resources import (
    LATEST,
    Configuration,
    Function,
    FunctionVersion,
    Key,
    owner_uid,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.cache import Cache

__all__ = ["Runnable", "Served"]

REREAD_SECONDS = 1.0
"""How often a namespace's versions are read for a revision that is not known, at the most."""


@dataclass(frozen=True, slots=True)
class Runnable:
    """A revision's configuration, and whose it is."""

    function_name: str
    version: str
    """`$LATEST` or a number."""
    function_uid: str
    configuration: Configuration


Known = tuple[RevisionKey, Runnable]


class Served:
    """The revisions that may be run."""

    def __init__(self, cache: Cache, appeared: Callable[[Configuration], None]) -> None:
        """Call `appeared` with the configuration of whatever may be run from now on."""
        self._cache = cache
        self._appeared = appeared
        self._known: dict[RevisionKey, Runnable] = {}
        self._reread: dict[str, float] = {}
        self._rereading = asyncio.Lock()
        cache.on_change(Function, self._function_changed)
        cache.on_change(FunctionVersion, self._version_changed)

    async def find(self, revision: RevisionKey) -> Runnable:
        """Return a revision; raises RevisionGoneError where it is not served any more."""
        if revision not in self._known:
            await self._read(revision)
        if revision not in self._known:
            function = self._cache.get(Function, Key(revision.namespace, revision.function))
            serving = function.status.revision if function else None
            raise RevisionGoneError(
                f"{revision} was claimed, the function serves revision {serving}"
            )
        return self._known[revision]

    async def _read(self, revision: RevisionKey) -> None:
        """Read what the watch has not told yet: the function, then the versions."""
        namespace = revision.namespace
        try:
            await self._cache.resources.get(Function, Key(namespace, revision.function))
        except NotFoundError as error:
            raise RevisionGoneError(f"{revision} was claimed, the function is gone") from error
        async with self._rereading:  # who comes meanwhile waits for what is being read
            since = time.monotonic() - self._reread.get(namespace, 0.0)
            if revision not in self._known and since > REREAD_SECONDS:
                await self._cache.refresh(FunctionVersion, namespace=namespace)
                self._reread[namespace] = time.monotonic()

    def _function_changed(self, before: Function | None, after: Function | None) -> None:
        self._changed(_of_function(before), _of_function(after))

    def _version_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        self._changed(_of_version(before), _of_version(after))

    def _changed(self, before: Known | None, after: Known | None) -> None:
        if before is not None:
            self._known.pop(before[0], None)
        if after is not None:
            self._known[after[0]] = after[1]
            self._appeared(after[1].configuration)


def _of_function(function: Function | None) -> Known | None:
    if function is None or function.status.revision is None:
        return None
    status = function.status
    if status.configuration is None:
        return None
    runnable = Runnable(function.function_name, LATEST, function.metadata.uid, status.configuration)
    return RevisionKey(*function.key, function.status.revision), runnable


def _of_version(version: FunctionVersion | None) -> Known | None:
    if version is None:
        return None
    spec = version.spec
    uid = owner_uid(version.metadata, Function.kind_name) or ""
    runnable = Runnable(spec.function_name, version.number, uid, spec.configuration)
    return version_revision(version), runnable
