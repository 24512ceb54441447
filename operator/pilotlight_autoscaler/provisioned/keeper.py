"""Keeps as many environments of versions initialised as versions and aliases ask for.

Follows both in the cache; an alias that is pointed elsewhere takes its number along. What to do
says `leases.stock`, `leases.capacity` does it within the caps.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError, StartFailedError, ThrottledError
from pilotlight.publishing import meant_version, version_revision
from pilotlight.resources import (
    PROVISIONED_ALIASES,
    PROVISIONED_VERSIONS,
    VERSIONS_BY_FUNCTION,
    FunctionAlias,
    FunctionVersion,
    ProvisionedStatus,
    Resource,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.cache import Cache
    from pilotlight.claims import RevisionKey
    from pilotlight_autoscaler.leases.capacity import Capacity
    from pilotlight_autoscaler.leases.stock import Stock

__all__ = ["ProvisionedKeeper"]

TICK_SECONDS = 1.0
STARTS = 8
"""Environments that may start at once."""
START_SECONDS = 60.0
PAUSE_SECONDS = 10.0
"""How long a revision waits after a start that failed."""
INIT_FAILED = "FUNCTION_ERROR_INIT_FAILURE"

log = structlog.get_logger()


class ProvisionedKeeper:
    """Starts and stops provisioned environments."""

    def __init__(
        self,
        capacity: Capacity,
        stock: Stock,
        cache: Cache,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._stock = stock
        self._clock = clock
        self._cache = cache
        self._needed = asyncio.Event()
        self._starts: set[asyncio.Task[None]] = set()
        self._paused: dict[RevisionKey, float] = {}
        cache.on_change(FunctionVersion, self._asked)
        cache.on_change(FunctionAlias, self._asked)

    async def state(self, revision: RevisionKey) -> ProvisionedStatus:
        """Say how far a revision is."""
        return self._stock.state(revision)

    async def close(self) -> None:
        """Start nothing any more."""
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)

    async def adjust(self) -> None:
        """Decide for every revision once."""
        for revision in self._stock.revisions():
            decision = self._stock.decide(revision)
            for _ in range(min(decision.start, self._free_starts(revision))):
                self._start(revision)
            for _ in range(decision.stop):
                self._capacity.unprovision(revision)
            await self._capacity.give_way(revision)

    async def run(self) -> None:
        """Decide again whenever something changed, and now and then; for ever."""
        while True:
            self._needed.clear()
            await self.want()
            await self.adjust()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._needed.wait()
            except TimeoutError:
                continue

    def _asked(self, _before: Resource | None, _after: Resource | None) -> None:
        self._needed.set()

    async def want(self) -> None:
        """Tell the stock what is wanted now, and take room for it."""
        for revision in self._stock.want(_wanted(self._cache)):
            await self._capacity.shed_under(revision)

    def _free_starts(self, revision: RevisionKey) -> int:
        if self._clock() < self._paused.get(revision, 0.0):
            return 0
        return STARTS - len(self._starts)

    def _start(self, revision: RevisionKey) -> None:
        task = asyncio.create_task(self._provision(revision))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _provision(self, revision: RevisionKey) -> None:
        try:
            await self._capacity.provision(revision, seconds=START_SECONDS)
        except ThrottledError:
            self._paused[revision] = self._clock() + TICK_SECONDS
        except PilotlightError as error:
            log.warning("environment not provisioned", revision=str(revision), error=str(error))
            self._stock.failures[revision] = _reason(error)
            self._paused[revision] = self._clock() + PAUSE_SECONDS
        else:
            self._paused.pop(revision, None)
            self._needed.set()


def _wanted(cache: Cache) -> Counter[RevisionKey]:
    """Count what versions and aliases ask for, by the revision that each means."""
    wanted: Counter[RevisionKey] = Counter()
    for version in cache.by(PROVISIONED_VERSIONS, value=True):
        wanted[version_revision(version)] += version.spec.provisioned_concurrency or 0
    for alias in cache.by(PROVISIONED_ALIASES, value=True):
        meant = meant_version(alias, cache.by(VERSIONS_BY_FUNCTION, alias.function))
        if meant is not None:
            wanted[version_revision(meant)] += alias.spec.provisioned_concurrency or 0
    return wanted


def _reason(error: PilotlightError) -> str:
    if isinstance(error, StartFailedError) and error.reason == "FunctionError":
        return INIT_FAILED
    return str(error)
