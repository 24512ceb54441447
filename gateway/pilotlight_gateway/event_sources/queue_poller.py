"""Polls a source whose messages are settled one by one: receives, batches, invokes, deletes.

One receiver waits for messages as long as there is room for a batch more; while what it gets is
full, others join it. What a function got is hidden from others until its batch has ended, then
deleted, or left to appear again when its visibility is over, as Lambda leaves it.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight_gateway.events.attempt import Ran

from .batching import Batcher, Gathered
from .concurrency import Concurrency
from .giving_up import GivingUp
from .responses import MalformedResponseError, failed_items
from .source import Pause, SourceError, Turn, result_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from pilotlight_gateway.events.attempt import Outcome

    from .queue import Message, Queue
    from .source import HeldShard, PolledMapping

__all__ = ["QueuePoller"]

MOST_RECEIVERS = 10
EMPTY_SECONDS = 1.0
"""Between two receives of an empty queue, whose service may not know what a long poll is."""
IDLE_SECONDS = 60.0
"""Without messages, after which a backlog is begun on anew."""
SETTLE_TRIES = 5

log = structlog.get_logger()


@dataclass(slots=True)
class _Receivers:
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    wanted: int = 0
    """How many there are without those that are about to end."""
    last_at: float = 0.0
    """When messages came the last time."""


class QueuePoller:
    """Polls one queue for one mapping."""

    def __init__(
        self,
        polled: PolledMapping,
        queue: Queue,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        spec = polled.mapping.spec
        self._polled = polled
        self._queue = queue
        self._clock = clock
        # What an idle mapping costs is a request in that time.
        self._wait_seconds = polled.services.settings.longest_poll
        self._partial = bool(spec.function_response_types)
        self._bisect = bool(spec.bisect_batch_on_function_error)
        self._batcher: Batcher[Message] = Batcher(polled.batch_size, polled.window)
        scaling = spec.scaling_config
        self._concurrency = Concurrency(scaling.maximum_concurrency if scaling else None)
        self._budget = polled.services.polled_bytes.share(polled.mapping.metadata.namespace)
        self._giving_up = GivingUp(polled, queue.frame)
        self._held: set[Message] = set()
        self._running: dict[asyncio.Task[None], frozenset[str]] = {}
        """By batch the groups that it has messages of."""
        self._receivers = _Receivers(last_at=clock())
        self._changed = asyncio.Condition()

    async def run(self, shard: HeldShard) -> None:
        """Poll until the shard is given up, then end what was begun."""
        shard.trouble(None)
        helpers = [
            asyncio.create_task(self._keep_hidden()),
            asyncio.create_task(self._dispatch(shard)),
        ]
        try:
            await self._receive_all(shard, helpers)
            await self._tell()
            await self._end()
        finally:
            tasks = [*helpers, *self._receivers.tasks, *self._running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._let_go(list(self._held))

    async def _end(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._running and not self._batcher)

    async def _receive_all(self, shard: HeldShard, helpers: list[asyncio.Task[None]]) -> None:
        """Keep a receiver going until the shard is given up; raises what one did not foresee."""
        self._add_receiver(shard)
        while self._receivers.tasks:
            done, _ = await asyncio.wait(
                [*self._receivers.tasks, *helpers], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
            self._receivers.tasks -= done

    def _add_receiver(self, shard: HeldShard) -> None:
        self._receivers.wanted += 1
        self._receivers.tasks.add(asyncio.create_task(self._receive(shard)))

    async def _receive(self, shard: HeldShard) -> None:
        """Receive until the shard is given up; one of several ends when little comes."""
        most = min(self._queue.largest_receive, self._polled.batch_size)
        pause: Pause | None = None
        while await self._has_room(shard):
            asked_at = self._clock()
            try:
                # After trouble an empty queue answers at once, so that its end is soon known.
                messages = await self._queue.receive(most, 0 if pause else self._wait_seconds)
                await self._take_in(messages)
            except SourceError as error:
                shard.trouble(error)
                pause = pause or Pause()
                await shard.rest(pause.longer())
                continue
            shard.trouble(None)
            if not messages and pause is None:
                await shard.rest(asked_at + EMPTY_SECONDS - self._clock())
            pause = None
            if len(messages) < most and self._receivers.wanted > 1:
                self._receivers.wanted -= 1
                return
            if len(messages) == most and self._receivers.wanted < min(MOST_RECEIVERS, self._room()):
                self._add_receiver(shard)

    async def _has_room(self, shard: HeldShard) -> bool:
        """Wait until a batch more may run; False once nothing should be begun."""
        async with self._changed:
            await self._changed.wait_for(lambda: shard.stopping.is_set() or self._room() > 0)
        return not shard.stopping.is_set()

    def _room(self) -> int:
        return self._concurrency.limit - len(self._running) - self._batcher.batches

    async def _take_in(self, messages: Sequence[Message]) -> None:
        """Put messages into batches, and delete what no filter lets through."""
        now, metrics = self._clock(), self._polled.metrics
        if not messages:
            if now - self._receivers.last_at >= IDLE_SECONDS:
                self._concurrency.idle()
            return
        self._receivers.last_at = now
        metrics.polled.inc(len(messages))
        accepted = [one async for one in self._accepted(messages)]
        await self._hold(accepted, now)
        if others := [one for one in messages if one not in accepted]:
            metrics.filtered.inc(len(others))
            await self._queue.delete(others)
            metrics.deleted.inc(len(others))

    async def _accepted(self, messages: Sequence[Message]) -> AsyncIterator[Message]:
        """Yield what the function gets."""
        turn = Turn()
        for one in messages:
            if self._polled.filters.accepts(one.record):
                yield one
            await turn.end()

    async def _hold(self, messages: Sequence[Message], now: float) -> None:
        """Keep messages hidden from here on, and batch them once there is memory for them."""
        for message in messages:
            message.encoded = json.dumps(message.record, separators=(",", ":")).encode()
            message.received_at, message.hidden_until = now, now + self._queue.visibility
            self._held.add(message)
        for message in messages:
            message.lent = await self._budget.take(len(message.encoded))
            self._batcher.add(Gathered(message, message.lent + 1, now, message.group))
        await self._tell()

    def _let_go(self, messages: Sequence[Message]) -> None:
        for message in self._held.intersection(messages):
            self._held.discard(message)
            self._budget.give(message.lent)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _dispatch(self, shard: HeldShard) -> None:
        """Begin batches as they are due and as there is room."""
        while True:
            async with self._changed:
                self._begin(shard)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._until_due()):
                        await self._changed.wait()

    def _begin(self, shard: HeldShard) -> None:
        now = self._clock()
        while len(self._running) < self._concurrency.limit:
            # What still gathers when the shard is given up goes as it is.
            at = now if not shard.stopping.is_set() else float("inf")
            batch = self._batcher.take(at, self._busy())
            if batch is None:
                return
            task = asyncio.create_task(self._work_on(batch, shard))
            self._running[task] = frozenset(one.group for one in batch if one.group is not None)
            task.add_done_callback(self._finished)
        self._concurrency.saturated(now)
        self._changed.notify_all()

    def _busy(self) -> frozenset[str]:
        return frozenset().union(*self._running.values())

    def _until_due(self) -> float | None:
        if len(self._running) >= self._concurrency.limit:
            return 1.0  # the limit grows with time
        due = self._batcher.due_at(self._busy())
        return None if due is None else max(0.0, due - self._clock())

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("batch could not be worked on", error=repr(error))
        asyncio.get_running_loop().create_task(self._tell())

    async def _work_on(self, batch: list[Message], shard: HeldShard) -> None:
        """Invoke the function with a batch and settle it; in halves, perhaps, where it failed."""
        metrics = self._polled.metrics
        try:
            if old := await self._giving_up.expired(batch):
                await self._settle(old, [])
            if not (batch := [one for one in batch if one not in old]):
                return
            with metrics.in_flight.track_inprogress():
                outcome = await self._invoke(batch)
            failed = self._failed(batch, outcome)
            shard.report(result_of(outcome, len(failed)))
            metrics.failed.inc(len(failed))
            if self._bisect and isinstance(outcome, Ran) and 1 < len(failed) == len(batch):
                for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                    await self._work_on(half, shard)
                return
            gone = await self._giving_up.exhausted(failed, outcome)
            await self._settle(batch, [one for one in failed if one not in gone])
        finally:
            self._let_go(batch)

    async def _invoke(self, batch: list[Message]) -> Outcome:
        """Run the function; while it is throttled, try again until the messages' time is over."""
        before, after = self._queue.frame
        event = before + b",".join(one.encoded for one in batch) + after
        visible_at = min(one.received_at for one in batch) + self._queue.visibility
        pause = Pause()
        while True:
            outcome = await self._polled.invoke(event)
            if isinstance(outcome, Ran):
                self._polled.metrics.invoked.inc(len(batch))
                return outcome
            self._concurrency.throttled()
            seconds = pause.longer()
            if self._clock() + seconds >= visible_at:
                return outcome
            await asyncio.sleep(seconds)

    def _failed(self, batch: list[Message], outcome: Outcome) -> list[Message]:
        """Return the messages that are not done."""
        if not isinstance(outcome, Ran):
            return batch
        if outcome.function_error is not None:
            self._concurrency.failed()
            return batch
        self._concurrency.succeeded()
        if not self._partial:
            return []
        try:
            named = failed_items(outcome.payload, {one.id for one in batch})
        except MalformedResponseError as error:
            log.warning("partial batch response not understood", error=str(error))
            return batch
        return [one for one in batch if one.id in named]

    async def _settle(self, batch: list[Message], failed: list[Message]) -> None:
        """Delete what is done; let what failed appear when it would have."""
        kept = set(failed)
        done = [one for one in batch if one not in kept]
        self._let_go(batch)
        if done and await self._insist(partial(self._queue.delete, done)):
            self._polled.metrics.deleted.inc(len(done))
        now = self._clock()
        for message in failed:
            left = max(0.0, message.received_at + self._queue.visibility - now)
            await self._insist(partial(self._queue.give_back, [message], left))

    async def _insist(self, settle: Callable[[], Any]) -> bool:
        """Settle although the source may be away for a moment; what stays appears again."""
        pause = Pause()
        for _ in range(SETTLE_TRIES):
            try:
                await settle()
            except SourceError as error:
                log.warning("messages not settled", error=str(error))
                await asyncio.sleep(pause.longer())
            else:
                return True
        return False

    async def _keep_hidden(self) -> None:
        """Prolong what is held, in time."""
        visibility = self._queue.visibility
        while True:
            await asyncio.sleep(visibility / 4)
            now = self._clock()
            soon = [one for one in self._held if one.hidden_until - now < visibility / 2]
            for message in soon:
                message.hidden_until = now + visibility
            try:
                if soon:
                    await self._queue.hide(soon, visibility)
            except SourceError as error:
                log.warning("messages not kept hidden", error=str(error))
