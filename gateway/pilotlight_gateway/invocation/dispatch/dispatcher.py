"""Routes invocations to environments: the synchronous way, in one function (`invoke`).

Nothing on it asks the operator, the API server or the store. Only where no environment is free does
it claim one, through whatever stands behind `Claims`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.budget import ByteBudget
from pilotlight.claims import Demand
from pilotlight.errors import (
    ConnectionLostError,
    NotStartedError,
    PilotlightError,
    RevisionGoneError,
    ThrottledError,
    UnavailableError,
    WithdrawnError,
)
from pilotlight.greedy_dual import GreedyDual
from pilotlight.keep_alive import RULES, KeepAliveSpec
from pilotlight_gateway.connections import while_caller_waits
from pilotlight_gateway.invocation.invocation import (
    Answer,
    Invocation,
    crash_answer,
    crash_document,
)

from .agent_events import EventReaders
from .answer_buffer import MOST_BYTES, AnswerBuffer
from .answer_stream import AnswerStream
from .environment import Environment
from .idling import Idling
from .queue import MOST_CLAIMS, PATIENCE_SECONDS, RevisionQueue

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pilotlight.claims import Claims, Lease, ReleaseReason, RevisionKey
    from pilotlight_gateway.invocation.cold_starts import ColdStarts

    from .log_sink import LogSink

__all__ = ["Dispatcher"]

START_SECONDS = 30.0
"""How long an invocation may wait for an environment; past it, it is throttled."""
AT_ONCE_SECONDS = 1.0
"""A claim that is refused within that time has met a limit, and has not waited for room."""
REAP_SECONDS = 5.0
WITHDRAW_SECONDS = 1.0
"""For how long a claim must have been one too many."""

log = structlog.get_logger()


class Dispatcher:
    """All revisions' queues, and the environments this gateway holds."""

    def __init__(  # noqa: PLR0913  what it works with, then its settings by name
        self,
        claims: Claims,
        platform_key: bytes,
        sink: LogSink,
        cold_starts: ColdStarts,
        *,
        gateway: str,
        most_claims: int = MOST_CLAIMS,
        keep_alive: str = "hybrid",
    ) -> None:
        self.queues: dict[RevisionKey, RevisionQueue] = {}
        self._of_tenants: dict[RevisionKey, set[RevisionKey]] = {}
        """Those of a revision's tenants, by the revision itself."""
        self._claims = claims
        self._platform_key = platform_key
        self._gateway = gateway
        self._ranking = GreedyDual()
        self._idling = Idling(KeepAliveSpec(), RULES[keep_alive])
        self._most_claims = most_claims
        self.answers = ByteBudget(MOST_BYTES)
        self._cold_starts = cold_starts
        self._readers = EventReaders(sink, self._gone)
        self._claiming: set[asyncio.Task[None]] = set()
        self._releasing: set[asyncio.Task[None]] = set()

    async def invoke(self, revision: RevisionKey, invocation: Invocation) -> Answer:
        """Run an invocation in an environment of the revision.

        Raises RevisionGoneError where the revision is served no more (find the new one and come
        again), ThrottledError, StartFailedError, UnavailableError. The body of a large answer may
        still be coming; the environment is free once it is whole (`answer_buffer`).
        """
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            queue = self._queue(revision)
            environment = queue.take() or await self._wait(queue, revision, deadline)
            invocation.began()
            try:
                answer = await environment.invoke(invocation, start_within=START_SECONDS)
            except NotStartedError as error:
                log.info("environment not usable", pod=environment.lease.pod, reason=str(error))
                self._give_back(queue, environment)
            except ConnectionLostError:
                self._give_back(queue, environment)
                return crash_answer(invocation.request_id)
            except BaseException:
                environment.close()
                self._give_back(queue, environment)
                raise
            else:
                return self._finish(queue, environment, answer, invocation.request_id)

    def retire(self, revision: RevisionKey, reason: ReleaseReason = "superseded") -> None:
        """Stop using a revision, all its tenants' environments with it.

        What is free is released, what is busy once it is free.
        """
        for one in self._with_tenants(revision):
            queue = self.queues[one]
            for environment in queue.retire():
                self._release(environment, reason)
            if queue.empty:
                self._discard(one)

    def environments(self, revision: RevisionKey) -> dict[str, int]:
        """Count a revision's environments by state, all its tenants' with it."""
        queues = [self.queues[one] for one in self._with_tenants(revision)]
        return {
            "idle": sum(len(queue.free) for queue in queues),
            "busy": sum(queue.busy for queue in queues),
            "starting": sum(queue.claims for queue in queues),
        }

    def held(self) -> list[Lease]:
        """Return every lease that is held (`pilotlight.claims.Holder`)."""
        return [environment.lease for environment in self._readers]

    def recall(self, leases: list[str], *, rested: bool = False) -> str | None:
        """Give up one idle environment of these at once, the one that is missed least."""
        among = [one for one in self._among(leases) if not rested or self._has_rested(one)]
        for environment in sorted(among, key=_priority):
            if self._take_out(environment):
                self._ranking.evicted(environment.priority)
                self._forget(environment)
                return environment.lease.id
        return None

    def shed(self, leases: list[str], count: int) -> int:
        """Give up that many of these, idle ones at once, running ones once they end."""
        among = self._among(leases)
        left = min(count, len(among))
        for environment in among:
            if left and self._take_out(environment):
                self._release(environment, "shed")
                left -= 1
        for environment in self._among(leases)[:left]:
            environment.shed = True
        return min(count, len(among))

    async def run(self) -> None:
        """Give back what idles too long and withdraw claims that are one too many, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reap())
            tasks.create_task(self._withdraw())

    def reap(self, now: float) -> None:
        """Give back what idles too long, and fetch what is likely to be needed soon."""
        for revision, queue in list(self.queues.items()):
            for environment in self._idling.overdue(revision, queue, now):
                queue.remove(environment)
                self._release(environment, "idle")
            if queue.empty:
                self._discard(revision)
        for revision in self._idling.due(now):
            self._prewarm(revision)

    async def withdraw_excess(self) -> None:
        """Withdraw the claims that nobody waited for since this was called last."""
        for queue in list(self.queues.values()):
            for demand in queue.excess():
                await self._claims.withdraw(demand)

    async def close(self) -> None:
        """Give everything back, for other gateways to go on with."""
        for task in self._claiming:
            task.cancel()
        await asyncio.gather(*self._claiming, return_exceptions=True)
        for revision in list(self.queues):
            self.retire(revision, "handover")
        while self._releasing:
            await asyncio.gather(*self._releasing, return_exceptions=True)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(REAP_SECONDS)
            self.reap(asyncio.get_running_loop().time())

    async def _withdraw(self) -> None:
        while True:
            await asyncio.sleep(WITHDRAW_SECONDS)
            await self.withdraw_excess()

    def _queue(self, revision: RevisionKey) -> RevisionQueue:
        queue = self.queues.get(revision)
        # A rollback brings a revision back whose last calls may still run under its first life.
        if queue is None or queue.retired:
            queue = RevisionQueue(self._most_claims, self._idling.of(revision))
            self.queues[revision] = queue
            if revision.tenant:
                self._of_tenants.setdefault(revision.of_all_tenants, set()).add(revision)
        return queue

    def _with_tenants(self, revision: RevisionKey) -> list[RevisionKey]:
        """Return the queues that there are of a revision, or of one of its tenants."""
        own = [revision] if revision in self.queues else []
        return own + list(self._of_tenants.get(revision, ()))

    def _discard(self, revision: RevisionKey) -> None:
        del self.queues[revision]
        if revision.tenant:
            tenants = self._of_tenants[revision.of_all_tenants]
            tenants.discard(revision)
            if not tenants:
                del self._of_tenants[revision.of_all_tenants]

    def _prewarm(self, revision: RevisionKey) -> None:
        """Have an environment of a revision that has none before its next call."""
        queue = self._queue(revision)
        if queue.empty:
            queue.claims += 1
            self._spawn(self._claim(queue, revision, Demand()), self._claiming)

    async def _wait(
        self, queue: RevisionQueue, revision: RevisionKey, deadline: float
    ) -> Environment:
        began = asyncio.get_running_loop().time()
        waiter = queue.wait()
        self._claim_if_needed(queue, revision)
        try:
            with while_caller_waits():
                async with asyncio.timeout_at(deadline):
                    environment = await waiter
        except BaseException as error:
            came = queue.leave(waiter)
            if came is not None:
                self._give_back(queue, came)
            if not isinstance(error, TimeoutError):
                raise
            raise ThrottledError(
                f"no environment became free within {START_SECONDS:.0f} s",
                reason="ConcurrentInvocationLimitExceeded",
            ) from error
        self._cold_starts.waited(revision, asyncio.get_running_loop().time() - began)
        return environment

    def _claim_if_needed(self, queue: RevisionQueue, revision: RevisionKey) -> None:
        while queue.needs_claim:
            queue.claims += 1
            queue.demands[demand := Demand()] = None
            self._spawn(self._claim(queue, revision, demand), self._claiming)

    async def _claim(self, queue: RevisionQueue, revision: RevisionKey, demand: Demand) -> None:
        began = asyncio.get_running_loop().time()
        try:
            lease = await self._claims.claim(revision, seconds=START_SECONDS, demand=demand)
        except BaseException as error:
            queue.claimed(demand)
            if not isinstance(error, WithdrawnError):
                self._claim_failed(queue, revision, error, began)
            if not isinstance(error, PilotlightError):
                raise
        else:
            queue.claimed(demand)
            took = asyncio.get_running_loop().time() - began
            self._cold_starts.granted(revision, lease.start, took)
            environment = Environment.of(
                lease, self._platform_key, self._gateway, cold_seconds=took
            )
            self._readers.start(environment)
            if not queue.add(environment):
                self._release(environment, "superseded")
        self._claim_if_needed(queue, revision)

    def _claim_failed(
        self, queue: RevisionQueue, revision: RevisionKey, error: BaseException, began: float
    ) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if isinstance(error, RevisionGoneError):
            queue.fail_all(error)
        elif isinstance(error, ThrottledError) and now - began < AT_ONCE_SECONDS:
            if queue.refuse(error):
                loop.call_later(PATIENCE_SECONDS, self._lose_patience, queue, revision, error, now)
        elif isinstance(error, PilotlightError):
            queue.fail(error, began)
        else:  # cancelled, as the gateway stops, or broken: nobody may wait for it
            lost = UnavailableError(f"the claim ended without an answer: {error!r}")
            queue.fail(lost, began)

    def _lose_patience(
        self, queue: RevisionQueue, revision: RevisionKey, error: ThrottledError, since: float
    ) -> None:
        queue.lose_patience(error, since)
        self._claim_if_needed(queue, revision)

    def _finish(
        self, queue: RevisionQueue, environment: Environment, answer: Answer, request_id: str
    ) -> Answer:
        queue.note(initialised=answer.initialised)
        if isinstance(answer.body, bytes):
            environment.used(answer, self._ranking)
            self._give_back(queue, environment)
        elif answer.streams:
            ended = partial(self._streamed, queue, environment, answer, request_id)
            stream = AnswerStream(answer.body, ended)
            answer.body, answer.release = stream, stream.close
        else:
            environment.used(answer, self._ranking)
            ended = partial(self._answered, queue, environment)
            buffer = AnswerBuffer(answer.body, answer.length, self.answers, ended)
            answer.body, answer.release = buffer, buffer.close
        return answer

    def _streamed(
        self,
        queue: RevisionQueue,
        environment: Environment,
        answer: Answer,
        request_id: str,
        whole: bool,  # noqa: FBT001  as the stream tells it
    ) -> None:
        if not whole:
            answer.function_error = "Unhandled"
            answer.error_document = crash_document(request_id)
        environment.used(answer, self._ranking)
        self._answered(queue, environment, whole)

    def _answered(self, queue: RevisionQueue, environment: Environment, whole: bool) -> None:  # noqa: FBT001  as the buffer tells it
        if not whole:  # bytes of this answer are still on the connection
            environment.close()
        self._give_back(queue, environment)

    def _give_back(self, queue: RevisionQueue, environment: Environment) -> None:
        if not queue.give_back(environment):
            self._release(environment, _reason(environment))

    def _gone(self, environment: Environment) -> None:
        environment.ended = True
        if self._take_out(environment):
            self._release(environment, "ended")

    def _among(self, leases: list[str]) -> list[Environment]:
        wanted = set(leases)
        return [one for one in self._readers if one.lease.id in wanted and not one.shed]

    def _has_rested(self, environment: Environment) -> bool:
        queue = self.queues.get(environment.lease.revision)
        idled = asyncio.get_running_loop().time() - environment.idle_since
        return queue is not None and queue.idle_history.has_rested(idled)

    def _take_out(self, environment: Environment) -> bool:
        """Take an idle environment out of its queue; False where it is busy."""
        queue = self.queues.get(environment.lease.revision)
        return queue is not None and queue.remove(environment)

    def _forget(self, environment: Environment) -> None:
        self._readers.finish(environment)
        environment.close()

    def _release(self, environment: Environment, reason: ReleaseReason) -> None:
        self._forget(environment)
        self._spawn(self._claims.release(environment.lease, reason), self._releasing)

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(_log_failure)


def _priority(environment: Environment) -> float:
    return environment.priority


def _reason(environment: Environment) -> ReleaseReason:
    if environment.ended:
        return "ended"
    return "shed" if environment.shed else "superseded"


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("claim or release failed", error=repr(error))
