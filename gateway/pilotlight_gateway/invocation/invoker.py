"""Invokes functions: the one door of the API, function URLs, routes, schedules, events, pollers.

`invoke` waits for the answer and goes on to `dispatch`; `enqueue` stores an event, which the
gateway's `events` dispatcher then brings back here.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol

from pilotlight.errors import RevisionGoneError, ThrottledError
from pilotlight.resources.asynchronous import DEFAULT_EVENT_AGE
from pilotlight_gateway.errors import FunctionNotFoundError, ResourceConflictError
from pilotlight_gateway.event_queue.interface import Event

from .behalf import refuse_denied
from .dispatch.answer_stream import AnswerStream
from .lineage import refuse_loop
from .tracing import sampled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.policies import PolicyRequest
    from pilotlight.resources import Function

    from .dispatch.dispatcher import Dispatcher
    from .invocation import Answer, Invocation
    from .metrics import InvocationMetrics
    from .reference import Reference
    from .targets import Target, Targets
    from .tracing import Spans

__all__ = ["Enqueues", "Invoker", "hold_seconds"]

UPDATE_SECONDS = 30.0
"""How long an invocation may wait for the revision that replaces the one it met."""
START_SECONDS = 70.0
"""How long an invocation may wait before it begins: for a revision, then for an environment."""
GRACE_SECONDS = 20.0
"""For the end of an environment that ran out of time, and for telling of it."""
LONGEST_TIMEOUT = 900
"""Seconds, of any function."""


class Enqueues(Protocol):
    """The side of the event queue that is needed here."""

    async def enqueue(self, *events: Event) -> list[bool]:
        """Keep events, all or none; says of each whether it is new."""
        ...


class Invoker:
    """Runs invocations at once, or keeps them as events."""

    def __init__(  # noqa: PLR0913  its collaborators, each by name
        self,
        *,
        targets: Targets,
        dispatcher: Dispatcher,
        queue: Enqueues,
        metrics: InvocationMetrics,
        spans: Spans | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._targets = targets
        self._dispatcher = dispatcher
        self._queue = queue
        self._metrics = metrics
        self._spans = spans
        self._clock = clock

    async def invoke(
        self,
        reference: Reference,
        invocation: Invocation,
        target: Target | None = None,
        *,
        behalf: PolicyRequest | None = None,
    ) -> Answer:
        """Run an invocation and count it; a function error is an answer too.

        `target` is what the reference means, where the caller knows; `behalf` in whose name it
        is, where the function's policy has not been asked yet. Where it is replaced before
        the invocation has begun, its replacement runs. Raises ApiError and PilotlightError.
        """
        started = time.monotonic()
        target = target or await self._targets.find(reference)
        if behalf is not None and target.policy:
            refuse_denied(behalf, target, reference)
        if target.function.spec.recursive_loop == "Terminate":
            refuse_loop(invocation.trace_id, reference)
        if target.tracing == "Active":
            invocation = replace(invocation, trace_id=sampled(invocation.trace_id))
            if self._spans is not None:
                run = partial(self._run, reference, target, started)
                return await self._spans.around(reference, invocation, run)
        return await self._run(reference, target, started, invocation)

    async def _run(
        self, reference: Reference, target: Target, started: float, invocation: Invocation
    ) -> Answer:
        while True:
            target.check_tenant(invocation.tenant_id)
            if target.revision is None:
                _refuse_not_ready(target.function, reference)
            revision = target.revision
            if invocation.tenant_id:
                revision = revision._replace(tenant=invocation.tenant_id)
            labels = (reference.namespace, reference.name, target.version)
            try:
                answer = await self._dispatcher.invoke(revision, invocation)
            except RevisionGoneError:
                if time.monotonic() >= started + UPDATE_SECONDS:
                    raise
                target = await self._replacement(reference, target, started + UPDATE_SECONDS)
            except ThrottledError as error:
                self._metrics.throttled(*labels, error.reason)
                raise
            else:
                answer.version = target.version
                if isinstance(answer.body, AnswerStream):  # it may still become an error
                    answer.body.when_ended(partial(self._count, labels, answer, started))
                else:
                    self._count(labels, answer, started)
                return answer

    def _count(self, labels: tuple[str, ...], answer: Answer, started: float) -> None:
        elapsed = time.monotonic() - started
        self._metrics.of(*labels).answered(answer, elapsed=elapsed)

    async def enqueue(  # noqa: PLR0913  what is kept, then how, by name
        self,
        reference: Reference,
        invocation: Invocation,
        target: Target | None = None,
        *,
        dedup_key: str = "",
        expires_at: float | None = None,
        missing_ok: bool = False,
        behalf: PolicyRequest | None = None,
    ) -> bool:
        """Keep an invocation as an event of its request id; returns once it is on disk.

        Says whether it is new: of events with one `dedup_key` only the first is kept. It is tried
        until `expires_at`, in seconds since the epoch, else as long as the function's settings
        say. With `missing_ok` the function may be made later; `behalf` is as in `invoke`. Raises
        ResourceNotFoundException, AccessDeniedException, QueueFullError and UnavailableError,
        keeping nothing.
        """
        if target is None:
            target = await self._target_if_any(reference, missing_ok=missing_ok)
        if behalf is not None and target is not None and target.policy:
            refuse_denied(behalf, target, reference)
        if target is not None:
            target.check_tenant(invocation.tenant_id)
        trace_id = invocation.trace_id
        if target is not None and target.tracing == "Active":
            trace_id = sampled(trace_id)  # what follows from the event goes by the same decision
        now = self._clock()
        if expires_at is None:
            expires_at = now + await self._event_age(reference, target)
        event = Event(
            id=invocation.request_id,
            account=reference.account,
            namespace=reference.namespace,
            function=reference.name,
            qualifier=reference.qualifier or "",
            payload=invocation.event,
            trace_id=trace_id,
            tenant_id=invocation.tenant_id,
            dedup_key=dedup_key,
            enqueued_at=now,
            due_at=now,
            expires_at=expires_at,
            hold_seconds=hold_seconds(target.timeout if target else LONGEST_TIMEOUT),
        )
        (is_new,) = await self._queue.enqueue(event)
        if is_new:
            self._metrics.enqueued(event.namespace, event.function)
        return is_new

    async def _replacement(self, reference: Reference, target: Target, deadline: float) -> Target:
        """Wait a moment for what replaces a target; returns what the reference means then."""
        seconds = min(deadline - time.monotonic(), 1.0)
        await self._targets.wait_for_change(target, seconds=seconds)
        return await self._targets.find(reference)

    async def _target_if_any(self, reference: Reference, *, missing_ok: bool) -> Target | None:
        try:
            return await self._targets.find(reference)
        except FunctionNotFoundError:
            if missing_ok:
                return None
            raise

    async def _event_age(self, reference: Reference, target: Target | None) -> float:
        if target is None:
            return DEFAULT_EVENT_AGE
        return (await self._targets.async_config(reference, target)).event_age


def hold_seconds(timeout: int) -> float:
    """Return how long the lease of an event must last whose function has that timeout."""
    return START_SECONDS + timeout + GRACE_SECONDS


def _refuse_not_ready(function: Function, reference: Reference) -> NoReturn:
    state, reason = function.status.state, function.status.state_reason
    raise ResourceConflictError(
        "The operation cannot be performed at this time. The function is currently in the "
        f"following state: {state}{f' ({reason})' if reason else ''}: {reference.unqualified_arn}"
    )
