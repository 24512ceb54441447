"""Keeps mappings polled: holds this gateway's share of their shards, and runs a source for each.

Every few seconds a round renews what is held, takes what is free and gives back what is more than a
share. A shard that was lost is let go of at once; one that is given back, or whose mapping changed,
first ends what it began. While the database is away polling goes on until the leases would be
another's. Then `source`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import ConflictError, NotFoundError, PilotlightError, UnavailableError
from pilotlight.resources import MAPPINGS_BY_SOURCE, EventSourceMapping
from pilotlight_gateway.errors import ApiError, NotSupportedError
from pilotlight_gateway.event_queue.source_leases import ROOT, LostShardError

from .source import HeldShard, SourceError
from .status import Standing, status_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.resources import EventSourceMappingStatus
    from pilotlight_gateway.event_queue.source_leases import Holding, Shard, ShardLease
    from pilotlight_gateway.services import Services

    from .source import Source

__all__ = ["Keeper"]

LEASE_SECONDS = 10.0
"""After which what a dead gateway held is free."""
ROUND_SECONDS = 3.0
STATUS_SECONDS = 5.0
"""Between two writes of a mapping's status that only its last result changes."""
LONGEST_ERROR = 500
"""Characters, of one that nobody foresaw."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a source that failed is polled again."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Work:
    """A shard that is polled here."""

    shard: HeldShard
    generation: int
    task: asyncio.Task[None]


@dataclass(slots=True)
class _Known:
    """What is known here of a mapping that is held."""

    standing: Standing = field(default_factory=Standing)
    written_at: float = 0.0
    """When nothing but its last result was written."""
    checked: int = -1
    """The generation that `problem` is of."""
    problem: str | None = None
    """What its kind of source does not allow: to compile filters takes time."""


class Keeper:
    """Polls this gateway's share of all mappings."""

    def __init__(
        self,
        services: Services,
        make: Callable[[EventSourceMapping], Awaitable[Source]],
        *,
        lease_seconds: float = LEASE_SECONDS,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        """`make` makes the source of a mapping; it raises SourceError and ApiError."""
        self._services = services
        self._make = make
        self._leases = services.events.source_leases
        self._holder = services.settings.gateway
        self._lease_seconds = lease_seconds
        self._round_seconds = round_seconds
        self._working: dict[Shard, _Work] = {}
        self._known: dict[str, _Known] = {}
        """By the mapping's uid."""
        self._gone: set[str] = set()
        """Uids of mappings that were deleted, and of which something is still kept."""
        self._held_until = 0.0
        self._asked = False
        """Whether shards were asked for, and so may be held, or this gateway be counted."""
        self._changed = asyncio.Event()
        self._closing = False
        services.cache.on_change(EventSourceMapping, self._mapping_changed)

    async def run(self) -> None:
        """Poll, until closed."""
        await self._services.cache.synced.wait()
        while not self._closing:
            self._changed.clear()
            try:
                await self._round()
            except (PilotlightError, TimeoutError) as error:
                log.warning("event sources are not renewed", error=repr(error))
                self._let_go_in_time()
            except Exception:
                log.exception("event sources not looked at")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._round_seconds):
                    await self._changed.wait()

    async def close(self, *, drain_seconds: float) -> None:
        """Begin nothing more, let what was begun end, and give everything back."""
        self._closing = True
        self._changed.set()
        until = time.monotonic() + drain_seconds
        tasks = {work.task for work in self._working.values()}
        for work in self._working.values():
            work.shard.stopping.set()
        while tasks and (left := until - time.monotonic()) > 0:
            _, tasks = await asyncio.wait(tasks, timeout=min(left, self._round_seconds))
            with suppress(PilotlightError, TimeoutError):
                await self._hold(
                    [work.shard.lease.shard.mapping for work in self._working.values()]
                )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._asked:
            await self._leave()

    async def _leave(self) -> None:
        """Give everything back; of a database that is away others take it when leases end."""
        with suppress(PilotlightError, TimeoutError):
            async with asyncio.timeout(self._round_seconds):
                await self._leases.leave(self._holder)

    async def _round(self) -> None:
        """Hold what should be held, and poll it."""
        for uid in list(self._gone):
            await self._leases.forget(uid)
            self._gone.discard(uid)
        mappings = {one.metadata.uid: one for one in self._services.cache.all(EventSourceMapping)}
        polled = {uid: one for uid, one in mappings.items() if self._is_polled(one)}
        if polled or self._working:
            holding = await self._hold(list(polled))
            self._take_up(holding.leases, polled)
            self._give_back(holding.excess, polled)
        for uid, mapping in mappings.items():
            await self._write(uid, mapping)

    async def _hold(self, mappings: list[str]) -> Holding:
        """Renew what is held of mappings and, unless closing, take what is free."""
        asked_at, self._asked = time.monotonic(), True
        async with asyncio.timeout(self._lease_seconds / 2):
            holding = await self._leases.hold(
                self._holder, mappings, self._lease_seconds, take=not self._closing
            )
        self._held_until = asked_at + self._lease_seconds
        return holding

    def _is_polled(self, mapping: EventSourceMapping) -> bool:
        return mapping.spec.enabled and self._refusal(mapping) is None

    def _refusal(self, mapping: EventSourceMapping) -> SourceError | None:
        """Say why a mapping that `kubectl` let through is not polled."""
        if (problem := self._problem(mapping)) is not None:
            return SourceError(problem, "Invalid")
        others = self._services.cache.by(MAPPINGS_BY_SOURCE, mapping.pair)
        if (rival := mapping.rival(others)) is not None:
            return SourceError(
                f"{rival.metadata.name} maps {mapping.source} to {mapping.spec.function} already",
                "Duplicate",
            )
        return None

    def _problem(self, mapping: EventSourceMapping) -> str | None:
        known = self._known.setdefault(mapping.metadata.uid, _Known())
        if known.checked != mapping.metadata.generation:
            known.checked, known.problem = mapping.metadata.generation, mapping.problem()
        return known.problem

    def _take_up(self, leases: list[ShardLease], polled: dict[str, EventSourceMapping]) -> None:
        """Poll what is held, and let go at once of what another holds now."""
        held = {lease.shard: lease for lease in leases}
        for shard, work in list(self._working.items()):
            lease = held.get(shard)
            lost = lease is None and shard.mapping in polled
            if lost or (lease is not None and lease.epoch != work.shard.lease.epoch):
                work.task.cancel()
        for shard, lease in held.items():
            if shard not in self._working and not self._closing:
                self._begin(lease, polled[shard.mapping])

    def _give_back(self, excess: int, polled: dict[str, EventSourceMapping]) -> None:
        """End what is not wanted any more, what changed, and what is more than a share."""
        for work in self._working.values():
            mapping = polled.get(work.shard.lease.shard.mapping)
            if mapping is None or mapping.metadata.generation != work.generation:
                work.shard.stopping.set()
        leaving = sum(work.shard.stopping.is_set() for work in self._working.values())
        for work in list(self._working.values())[: max(0, excess - leaving)]:
            work.shard.stopping.set()

    def _begin(self, lease: ShardLease, mapping: EventSourceMapping) -> None:
        known = self._known.setdefault(mapping.metadata.uid, _Known())
        if lease.shard.name == ROOT:
            known.standing.holder = self._holder

        def report(result: str) -> None:
            if result != known.standing.result:
                known.standing.result = result
                if time.monotonic() - known.written_at >= STATUS_SECONDS:
                    self._changed.set()

        def trouble(error: SourceError | None) -> None:
            if str(error) != str(known.standing.trouble):
                known.standing.trouble = error
                self._changed.set()

        shard = HeldShard(lease, self._leases, report, trouble)
        task = asyncio.create_task(self._poll(shard, mapping))
        self._working[lease.shard] = _Work(shard, mapping.metadata.generation, task)
        task.add_done_callback(lambda _: self._ended(lease.shard))

    def _ended(self, shard: Shard) -> None:
        self._working.pop(shard, None)
        self._changed.set()

    async def _poll(self, shard: HeldShard, mapping: EventSourceMapping) -> None:
        """Poll a shard until it is given back, whatever its source does."""
        pause = FIRST_PAUSE
        while not shard.stopping.is_set():
            begun_at = time.monotonic()
            try:
                await (await self._make(mapping)).run(shard)
            except LostShardError as error:
                log.warning("shard was lost", error=str(error))
                return
            except (PilotlightError, ApiError) as error:
                shard.trouble(_as_trouble(error))
            except Exception as error:
                log.exception("event source failed", mapping=str(mapping.key))
                shard.trouble(SourceError(repr(error)[:LONGEST_ERROR], "InternalError"))
            if shard.stopping.is_set():
                break
            if time.monotonic() - begun_at > LONGEST_PAUSE:
                pause = FIRST_PAUSE  # it went well in between
            await shard.rest(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
        with suppress(PilotlightError):  # it ends by itself, then
            await self._leases.release(shard.lease)

    def _let_go_in_time(self) -> None:
        """Stop polling what another gateway may hold before the next round."""
        if self._working and time.monotonic() + self._round_seconds >= self._held_until:
            for work in self._working.values():
                work.task.cancel()

    def _mapping_changed(
        self, before: EventSourceMapping | None, after: EventSourceMapping | None
    ) -> None:
        if before is not None and (after is None or after.metadata.uid != before.metadata.uid):
            self._gone.add(before.metadata.uid)
            self._known.pop(before.metadata.uid, None)
        generation = after.metadata.generation if after else None
        if before is None or before.metadata.generation != generation:
            self._changed.set()

    async def _write(self, uid: str, mapping: EventSourceMapping) -> None:
        """Write a mapping's status, where this gateway is the one that knows."""
        wanted = await self._standing(uid, mapping)
        if wanted is None:
            return
        status = status_of(mapping, wanted)
        if status == mapping.status:
            return
        if not self._may_write(uid, mapping.status, status):
            return
        try:
            await self._services.resources.write_status(
                mapping.model_copy(update={"status": status})
            )
        except (NotFoundError, ConflictError):
            pass  # a later round sees what is there now
        except UnavailableError:
            raise
        except PilotlightError as error:  # of this one alone: the others' are written
            log.warning("status not written", mapping=str(mapping.key), error=str(error))

    def _may_write(
        self, uid: str, before: EventSourceMappingStatus, after: EventSourceMappingStatus
    ) -> bool:
        """Say no where another result was written a moment ago: they may change all the time."""
        result = {"last_processing_result": before.last_processing_result}
        if after.model_copy(update=result) != before:
            return True
        known, now = self._known.setdefault(uid, _Known()), time.monotonic()
        if now - known.written_at < STATUS_SECONDS:
            return False
        known.written_at = now
        return True

    async def _standing(self, uid: str, mapping: EventSourceMapping) -> Standing | None:
        """Return how a mapping stands; None where another gateway says it, or nobody yet."""
        works = [work for shard, work in self._working.items() if shard.mapping == uid]
        root = [work for work in works if work.shard.name == ROOT]
        if root and root[0].generation == mapping.metadata.generation:
            return self._known[uid].standing
        if self._is_polled(mapping) or works:
            return None
        if mapping.status.observed_generation == mapping.metadata.generation:
            return None
        if any(one.holder for one in await self._leases.shards(uid)):
            return None  # it is being ended
        result = mapping.status.last_processing_result or Standing().result
        return Standing(trouble=self._refusal(mapping), result=result)


def _as_trouble(error: PilotlightError | ApiError) -> SourceError:
    if isinstance(error, SourceError):
        return error
    reason = "NotSupported" if isinstance(error, NotSupportedError) else "Unavailable"
    return SourceError(str(error), reason)
