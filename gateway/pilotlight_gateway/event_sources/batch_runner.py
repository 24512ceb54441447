"""Works on one batch of a shard until nothing of it is left: invokes, retries, gives up.

`stream_batches` says how it goes on and `windows` what a window's events have beside records; here
the function runs, time passes, and destinations are told.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from pilotlight.errors import PilotlightError
from pilotlight_gateway.events.attempt import Ran
from pilotlight_gateway.events.record import FailedBatch
from pilotlight_gateway.identifiers import new_request_id
from pilotlight_gateway.invocation.invocation import LARGEST_EVENT

from .failed_batch import LastRun, batch_info, failure_event
from .responses import MalformedResponseError, failed_items
from .source import Pause, result_of
from .stream_batches import Batch, GivenUp, Rules, Step
from .windows import Window, split

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pilotlight_gateway.events.attempt import Outcome

    from .source import HeldShard, PolledMapping
    from .stream import BatchNames, StreamRecord

__all__ = ["BatchRunner"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Last:
    """Of a window's last invocation: nothing but whether it ends early."""

    early: bool


class BatchRunner:
    """Runs the batches of one lane, one after another."""

    too_large: ClassVar[str] = "RequestPayloadTooLarge"
    """Of a record that makes an event which no invocation may have; ours, Lambda's is not told."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name
        self,
        polled: PolledMapping,
        stream: BatchNames,
        shard: HeldShard,
        *,
        window: Window | None,
        done: Callable[[Sequence[StreamRecord], Window | None], Awaitable[None]],
        report: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`done` is told of records that are done with, and of the window that is open then."""
        spec = polled.mapping.spec
        self.window = window
        self._polled = polled
        self._stream = stream
        self._shard = shard
        self._done = done
        self._report = report
        self._clock = clock
        self._rules = Rules.of(spec)
        self._window_seconds = spec.tumbling_window_in_seconds or 0
        self._partial = bool(spec.function_response_types)
        self._last: LastRun | None = None

    async def run(self, records: Sequence[StreamRecord]) -> None:
        """Return once nothing is left, or nothing more should be begun."""
        if not self._window_seconds:
            await self._work(Batch(tuple(records)))
            return
        for start, of_window in split(records, self._window_seconds):
            if self.window is not None and self.window.start != start:
                await self.close_window()
            if self._shard.stopping.is_set():
                return
            self.window = self.window or Window(start, self._window_seconds)
            await self._work(Batch(tuple(of_window)))
            if self.window.too_large:
                await self.close_window(early=True)

    async def close_window(self, *, early: bool = False) -> None:
        """Invoke for the window that is open for the last time."""
        if self.window is not None and await self._work(Batch(()), _Last(early)):
            self.window = None
            await self._done((), None)

    async def _work(self, batch: Batch, last: _Last | None = None) -> bool:
        """Work on a batch; returns whether nothing of it is left."""
        left, pause = [batch], Pause()
        self._last = None
        while left:
            if self._shard.stopping.is_set():
                return False
            step = await self._step(left.pop(0), last)
            if step.given_up is not None and not await self._give_up(step.given_up):
                return False
            records = (*step.done, *(step.given_up.batch.records if step.given_up else ()))
            if records:
                await self._done(records, self.window)
                pause = Pause()
            left[:0] = step.left
            if step.wait and not await self._shard.rest(pause.longer()):
                return False
        return True

    async def _step(self, batch: Batch, last: _Last | None) -> Step:
        """Invoke with a batch once, unless its time is over."""
        if (step := self._rules.expired(batch, self._clock())) is not None:
            return step
        event = self._event(batch, last)
        if len(event) > LARGEST_EVENT:
            if len(batch.records) > 1:  # a window's state has grown
                return Step(left=batch.halves())
            return Step(given_up=GivenUp(batch, self.too_large))
        request_id = new_request_id()
        self._note_age(batch)
        with self._polled.metrics.in_flight.track_inprogress():
            outcome = await self._polled.invoke(event, request_id)
        failed = self._first_failed(outcome, batch, last)
        await self._report(result_of(outcome, 0 if failed is None else 1))
        if not isinstance(outcome, Ran):
            return Step(left=(batch,), wait=True)
        self._last = LastRun(request_id, event, outcome)
        metrics = self._polled.metrics
        metrics.invoked.inc(len(batch.records))
        metrics.failed.inc(0 if failed is None else len(batch.records) - failed)
        return self._rules.after_run(batch, failed)

    def _first_failed(self, outcome: Outcome, batch: Batch, last: _Last | None) -> int | None:
        """Return the place of the first record that is not done, if one is not."""
        if not isinstance(outcome, Ran) or outcome.function_error is not None:
            return 0
        if last is not None:
            return None
        places, named = {}, set[str]()
        try:
            window = self.window.after(outcome.payload) if self.window else None
            if self._partial:
                places = {one.sequence: place for place, one in enumerate(batch.records)}
                named = failed_items(outcome.payload, places)
        except MalformedResponseError as error:
            log.warning("answer of a batch not understood", error=str(error))
            return 0
        failed = min((places[one] for one in named), default=None)
        if failed != 0:
            self.window = window
        return failed

    def _event(self, batch: Batch, last: _Last | None) -> bytes:
        records = b'{"Records":[' + b",".join(one.encoded for one in batch.records) + b"]"
        if self.window is None:
            return records + b"}"
        members: dict[str, Any] = self.window.members(
            self._shard.name, self._stream.arn,
            final=last is not None, early=last is not None and last.early,
        )  # fmt: skip
        return records + b"," + json.dumps(members, separators=(",", ":")).encode()[1:]

    def _info(self, records: Sequence[StreamRecord], last: LastRun) -> dict[str, Any]:
        """Say which records a batch had."""
        del last
        return batch_info(self._shard.name, self._stream.arn, records)

    def _note_age(self, batch: Batch) -> None:
        if batch.records:
            age = max(0.0, self._clock() - batch.records[-1].arrived_at)
            self._polled.metrics.iterator_age.set(age)

    async def _give_up(self, given_up: GivenUp) -> bool:
        """Have the destination told; returns False if nothing more should be begun before that."""
        records, last = given_up.batch.records, self._last
        if last is None:
            last = LastRun(new_request_id(), b"")
        last, self._last = replace(last, payload=self._event(given_up.batch, None)), None
        info = self._info(records, last)
        uid = self._polled.mapping.metadata.uid
        batch = FailedBatch(uid, self._shard.name, self._stream.batch_info, info)
        event = failure_event(
            self._polled, given_up.condition, given_up.batch.invocations, last,
            batch=batch, now=self._clock(),
        )  # fmt: skip
        log.warning("batch is given up", mapping=uid, condition=given_up.condition, **info)
        pause = Pause()
        while event is not None:
            try:
                await self._polled.services.events.enqueue(event)
                break
            except PilotlightError as error:
                log.warning("failure is not kept", mapping=uid, error=str(error))
            if not await self._shard.rest(pause.longer()):
                return False
        self._polled.metrics.dropped.inc(len(records))
        return True
