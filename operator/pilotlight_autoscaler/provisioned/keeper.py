"""Keeps as many environments of versions initialised as versions and aliases ask for.

Follows both resources; an alias that is pointed elsewhere takes its number along. What to do says
`leases.stock`, `capacity` does it within the caps.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError, StartFailedError, ThrottledError
from pilotlight.publishing import meant_version, version_revision
from pilotlight.resources import (
    FunctionAlias,
    FunctionVersion,
    Key,
    ProvisionedStatus,
    Resource,
)
from pilotlight.storage import Mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from pilotlight.claims import RevisionKey
    from pilotlight.storage import ResourceStore
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
        resources: ResourceStore,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._stock = stock
        self._clock = clock
        self._versions = Mirror(resources, FunctionVersion, self._asked)
        self._aliases = Mirror(resources, FunctionAlias, self._asked)
        self._needed = asyncio.Event()
        self._starts: set[asyncio.Task[None]] = set()
        self._paused: dict[RevisionKey, float] = {}

    async def state(self, revision: RevisionKey) -> ProvisionedStatus:
        """Say how far a revision is."""
        return self._stock.state(revision)

    def background(self) -> Iterable[Coroutine[Any, Any, None]]:
        """Give the work that goes on for ever."""
        yield self._versions.run()
        yield self._aliases.run()
        yield self._run()

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

    async def _run(self) -> None:
        while True:
            self._needed.clear()
            await self._want()
            await self.adjust()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._needed.wait()
            except TimeoutError:
                continue

    def _asked(self, _before: Resource | None, _after: Resource | None) -> None:
        self._needed.set()

    async def _want(self) -> None:
        """Tell the stock what is wanted now, and take room for it."""
        wanted = _wanted(self._versions.held.values(), self._aliases.held.values())
        for revision in self._stock.want(wanted):
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


def _wanted(
    versions: Iterable[FunctionVersion], aliases: Iterable[FunctionAlias]
) -> Counter[RevisionKey]:
    wanted: Counter[RevisionKey] = Counter()
    of_function: defaultdict[Key, list[FunctionVersion]] = defaultdict(list)
    for version in versions:
        of_function[_function_of(version)].append(version)
        wanted[version_revision(version)] += version.spec.provisioned_concurrency or 0
    for alias in aliases:
        meant = meant_version(alias, of_function[_function_of(alias)])
        if meant is not None:
            wanted[version_revision(meant)] += alias.spec.provisioned_concurrency or 0
    return +wanted


def _function_of(resource: FunctionVersion | FunctionAlias) -> Key:
    return Key(resource.metadata.namespace, resource.spec.function)


def _reason(error: PilotlightError) -> str:
    if isinstance(error, StartFailedError) and error.reason == "FunctionError":
        return INIT_FAILED
    return str(error)
