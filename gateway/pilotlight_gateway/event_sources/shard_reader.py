"""Reads one shard for one mapping: reads on, gathers batches, has them run in order.

Records of one key go through one lane, of which there are as many as ParallelizationFactor says; a
lane works on one batch at a time, until nothing of it is left (`batch_runner`). What is stored with
the lease is the last record before which all are done with (`checkpoint`), so whoever takes the
shard over repeats only what came after it.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError
from pilotlight_gateway.event_queue.source_leases import LostShardError
from pilotlight_gateway.invocation.invocation import LARGEST_EVENT

from .batch_runner import BatchRunner
from .batching import Batcher, Gathered
from .checkpoint import Checkpoint, Progress
from .source import Pause, SourceError, Turn
from .stream import ExpiredIteratorError, Position, SlowDownError, TrimmedError
from .windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .source import HeldShard, PolledMapping
    from .stream import Page, Stream, StreamRecord

__all__ = ["ShardReader"]

CLOCK_SECONDS = 1.0
"""By how much the clocks of gateways and of a source may differ."""
READ_AHEAD = 100
"""Records that may wait beside as many as two batches of each lane have."""

log = structlog.get_logger()


class _Lane:
    def __init__(self, batcher: Batcher[StreamRecord], runner: BatchRunner) -> None:
        self.batcher = batcher
        self.runner = runner


class ShardReader:
    """Reads a shard that this gateway holds."""

    def __init__(
        self,
        polled: PolledMapping,
        stream: Stream,
        shard: HeldShard,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._polled = polled
        self._stream = stream
        self._shard = shard
        self._clock = clock
        self._checkpoint = Checkpoint.load(shard.checkpoint)
        self._read_to = self._checkpoint.position
        self._since = 0.0
        """What came before is not for the function, where the stream cannot tell."""
        self._progress = Progress()
        self._budget = polled.services.polled_bytes.share(polled.mapping.metadata.namespace)
        self._bytes = 0
        self._lanes = self._make_lanes()
        self._changed = asyncio.Condition()
        self._saving = asyncio.Lock()
        self._at_end = False
        self._seen_until = -math.inf
        """All records that came before then have been read."""
        self._in_trouble = True

    def _make_lanes(self) -> list[_Lane]:
        spec = self._polled.mapping.spec
        seconds = spec.tumbling_window_in_seconds or 0
        kept = self._checkpoint.window
        window = Window(**kept, seconds=seconds) if kept and seconds else None
        return [
            _Lane(
                Batcher(self._polled.batch_size, self._polled.window),
                BatchRunner(
                    self._polled, self._stream, self._shard,
                    window=window, done=self._done, report=self._report, clock=self._clock,
                ),
            )
            for _ in range(spec.parallelization_factor or 1)
        ]  # fmt: skip

    async def run(self) -> None:
        """Read until the shard is at its end, or given up; raises LostShardError."""
        reading = [self._read(), *map(self._run_lane, self._lanes)]
        tasks = [asyncio.create_task(one) for one in reading]
        watch = asyncio.create_task(self._watch())
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in ended:
                task.result()
        finally:
            for task in (*tasks, watch):
                task.cancel()
            await asyncio.gather(*tasks, watch, return_exceptions=True)
            self._budget.give(self._bytes)
        if not self._shard.stopping.is_set():
            await self._shard.save(self._checkpoint.dump(), finished=True)

    async def _watch(self) -> None:
        await self._shard.stopping.wait()
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _read(self) -> None:
        """Read until the end, as long as there is room."""
        iterator: str | None = None
        pause, idle = Pause(), Pause(self._stream.pause, 1.0)
        while room := await self._room():
            try:
                iterator = iterator or await self._open()
                asked_at = self._clock()
                page = await self._stream.read(self._shard.name, iterator, room)
            except SourceError as error:
                iterator = await self._after_error(error, iterator, pause)
                continue
            self._trouble(None)
            pause = Pause()
            await self._take_in(page, asked_at)
            iterator = page.next
            if iterator is None:
                self._at_end = True
                break
            if page.records:
                idle = Pause(self._stream.pause, 1.0)
            if page.caught_up or not page.records:
                await self._shard.rest(idle.longer())
        await self._tell()

    async def _after_error(
        self, error: SourceError, iterator: str | None, pause: Pause
    ) -> str | None:
        """Return the iterator to go on with; None where one is to be made anew."""
        if isinstance(error, ExpiredIteratorError) and iterator is not None:
            return None
        if isinstance(error, TrimmedError) and self._read_to.after:
            log.warning("records were lost before they were read", shard=self._shard.name)
            self._read_to = Position()
            return None
        slow = isinstance(error, SlowDownError)
        if not slow:
            self._trouble(error)
        await self._shard.rest(pause.longer())
        return iterator if slow else None

    async def _open(self) -> str:
        """Begin to read; what begins with the latest record is kept as a time, for who is next."""
        position, began_at = self._read_to, self._clock()
        self._since = position.since or 0.0
        iterator = await self._stream.iterator(self._shard.name, position)
        if position.latest:
            self._read_to = Position(since=began_at - CLOCK_SECONDS)
            self._checkpoint = replace(self._checkpoint, position=self._read_to)
            await self._save()
        return iterator

    async def _room(self) -> int:
        """Wait until more may be read; returns how many records, 0 if none any more."""
        lanes = len(self._lanes)
        most = READ_AHEAD + 2 * self._polled.batch_size * lanes
        largest = LARGEST_EVENT * (lanes + 1)

        def has_room() -> bool:
            return len(self._progress) < most and self._bytes < largest

        async with self._changed:
            await self._changed.wait_for(lambda: self._shard.stopping.is_set() or has_room())
        if self._shard.stopping.is_set():
            return 0
        return min(most - len(self._progress), self._stream.largest_page)

    async def _take_in(self, page: Page, asked_at: float) -> None:
        """Put records into their lanes; what no filter lets through is done with."""
        since = self._since // self._stream.precision * self._stream.precision
        records = [one for one in page.records if one.arrived_at >= since]
        filtered: list[StreamRecord] = []
        turn = Turn()
        for record in records:
            self._progress.read(record)
            await turn.end()
            if self._polled.filters.accepts(record.record):
                await self._gather(record)
            else:
                filtered.append(record)
        if records:
            self._read_to = Position(after=records[-1].sequence)
            self._seen_until = records[-1].arrived_at
        if page.caught_up:
            self._seen_until = max(self._seen_until, asked_at - CLOCK_SECONDS)
        self._polled.metrics.polled.inc(len(records))
        self._polled.metrics.filtered.inc(len(filtered))
        if filtered:
            await self._done(filtered, self._lanes[0].runner.window)
        await self._tell()

    async def _gather(self, record: StreamRecord) -> None:
        record.encoded = json.dumps(record.record, separators=(",", ":")).encode()
        record.lent = await self._budget.take(len(record.encoded))
        self._bytes += record.lent
        lane = self._lanes[zlib.crc32(record.key.encode()) % len(self._lanes)]
        lane.batcher.add(Gathered(record, len(record.encoded) + 1, self._clock()))

    async def _run_lane(self, lane: _Lane) -> None:
        """Run batches as they are due, until nothing more comes."""
        while (batch := await self._next(lane)) is not None:
            if batch:
                await lane.runner.run(batch)
            else:
                await lane.runner.close_window()

    async def _next(self, lane: _Lane) -> list[StreamRecord] | None:
        """Wait for a batch; an empty one where a window is over, None when there is none more."""
        async with self._changed:
            while not self._shard.stopping.is_set():
                now = math.inf if self._at_end else self._clock()
                if (batch := lane.batcher.take(now)) is not None:
                    return batch
                if self._window_is_over(lane):
                    return []
                if self._at_end:
                    return None
                due = lane.batcher.due_at()
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if due is None else max(0.0, due - now)):
                        await self._changed.wait()
        return None

    def _window_is_over(self, lane: _Lane) -> bool:
        window = lane.runner.window
        if window is None or len(lane.batcher):
            return False
        return self._at_end or self._seen_until >= window.end

    async def _done(self, records: Sequence[StreamRecord], window: Window | None) -> None:
        """Take note of records that are done with, and keep how far all are."""
        last = self._progress.done(records)
        lent = sum(one.lent for one in records)
        self._bytes -= lent
        self._budget.give(lent)
        checkpoint = replace(
            self._checkpoint,
            window={"start": window.start, "state": window.state} if window else None,
        )
        if last is not None:
            checkpoint = replace(
                checkpoint, position=Position(after=last.sequence),
                arrived_at=last.arrived_at, done_at=self._clock(),
            )  # fmt: skip
        if checkpoint != self._checkpoint:
            self._checkpoint = checkpoint
            await self._try_save()
        await self._tell()

    async def _report(self, result: str) -> None:
        self._shard.report(result)
        if result != self._checkpoint.result:
            self._checkpoint = replace(self._checkpoint, result=result)
            await self._try_save()

    async def _try_save(self) -> None:
        """Save; while the database is away the next save will do."""
        try:
            await self._save()
        except LostShardError:
            raise
        except PilotlightError as error:
            log.warning("checkpoint is not kept", shard=self._shard.name, error=str(error))

    async def _save(self) -> None:
        async with self._saving:  # a later one must not be overtaken
            await self._shard.save(self._checkpoint.dump())

    def _trouble(self, error: SourceError | None) -> None:
        """Say why the shard cannot be read, or, once, that it can be again."""
        if error is not None or self._in_trouble:
            self._shard.trouble(error)
        self._in_trouble = error is not None
