"""What a source of events is to the gateway: a file here for each kind, in `SOURCES` by its name.

A source works on shards that this gateway holds (`keeper`): of a queue the whole, of a stream the
root, which lists the shards, and each of those. It reads, has its batches invoked
(`PolledMapping.invoke`), and settles them by its own rules: `queue_poller` does so for everything
whose messages are settled one by one.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from pilotlight.errors import PilotlightError
from pilotlight_gateway.errors import ApiError, FunctionNotFoundError
from pilotlight_gateway.events.attempt import NotRun, Ran, Refused, attempt
from pilotlight_gateway.identifiers import new_request_id, new_trace_id
from pilotlight_gateway.invocation.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pilotlight.patterns import FilterCriteria
    from pilotlight.resources import EventSourceMapping
    from pilotlight.resources.event_source_kinds import SourceKind
    from pilotlight_gateway.event_queue.source_leases import (
        ShardLease,
        ShardState,
        SourceLeases,
    )
    from pilotlight_gateway.event_source_metrics import MappingMetrics
    from pilotlight_gateway.events.attempt import Outcome
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.invocation.targets import Target
    from pilotlight_gateway.services import Services


__all__ = [
    "Backlog",
    "HeldShard",
    "Pause",
    "PolledMapping",
    "Source",
    "SourceError",
    "Turn",
    "result_of",
]


class SourceError(PilotlightError):
    """A source cannot be polled, or not now; the message is Lambda's where Lambda has one."""

    code = "EventSource"
    status = 400

    def __init__(self, message: str, reason: str = "Unreachable") -> None:
        """`reason` is the condition's, such as Unreachable, AccessDenied, NotFound or Invalid."""
        super().__init__(message)
        self.reason = reason


TURN_SECONDS = 0.01
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before what could not be done is tried again."""


class Turn:
    """A while of work, such as to judge large records; then what else waits has its turn."""

    def __init__(self) -> None:
        self._until = time.monotonic() + TURN_SECONDS

    async def end(self) -> None:
        """Let others go on, once the while is over."""
        if time.monotonic() > self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + TURN_SECONDS


@dataclass(slots=True)
class Pause:
    """How long is waited before what failed is tried again: longer each time."""

    seconds: float = FIRST_PAUSE
    longest: float = LONGEST_PAUSE

    def longer(self) -> float:
        """Return the seconds of this time."""
        seconds, self.seconds = self.seconds, min(self.longest, self.seconds * 2)
        return seconds


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many records a source has for a mapping."""

    waiting: int | None
    """That nobody has yet; None where the source does not say."""
    in_flight: int | None = None
    """That were given out, and are not done with."""


class Source(Protocol):
    """The source of one mapping."""

    async def check(self) -> None:
        """Ask the source whether the mapping can be polled; raises SourceError."""
        ...

    async def backlog(self) -> Backlog | None:
        """Ask how much waits; None of a stream, which says how old it is by shard instead.

        Raises SourceError.
        """
        ...

    async def run(self, shard: HeldShard) -> None:
        """Poll a shard until `shard.stopping` is set and what was begun has ended.

        Raises SourceError, and is then run again after a while; cancelled where the shard is lost.
        """
        ...


@dataclass(slots=True)
class HeldShard:
    """A shard that this gateway holds, and what its source may say of it."""

    lease: ShardLease
    leases: SourceLeases
    report: Callable[[str], None]
    """Takes note of what became of a batch, as Lambda's LastProcessingResult says it."""
    trouble: Callable[[SourceError | None], None]
    """Takes note that the source cannot be polled now, or can again."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nothing more should be begun."""

    @property
    def name(self) -> str:
        """The shard's name; of the mapping as a whole `ROOT`."""
        return self.lease.shard.name

    @property
    def checkpoint(self) -> str:
        """How far the shard has been read."""
        return self.lease.checkpoint

    async def save(self, checkpoint: str, *, finished: bool = False) -> None:
        """Keep how far the shard has been read; a finished one is never held again.

        Raises LostShardError.
        """
        await self.leases.save(self.lease, checkpoint, finished=finished)
        self.lease = replace(self.lease, checkpoint=checkpoint)
        if finished:
            self.stopping.set()

    async def add(self, shards: Mapping[str, str], finished: Collection[str] = ()) -> None:
        """From the root: have shards polled, each from its checkpoint; raises LostShardError.

        Those that are `finished` are known, and never held.
        """
        await self.leases.add(self.lease, shards, finished)

    async def remove(self, shards: Collection[str]) -> None:
        """From the root: forget shards that the source has no more; raises LostShardError."""
        await self.leases.remove(self.lease, shards)

    async def unlist(self, shards: Collection[str]) -> None:
        """From the root: take shards for those of another stream; raises LostShardError."""
        await self.leases.unlist(self.lease, shards)

    async def rest(self, seconds: float) -> bool:
        """Wait; returns False at once when nothing more should be begun."""
        # Not `wait_for`: until Python 3.12 it may swallow that it is cancelled.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        return not self.stopping.is_set()

    async def siblings(self) -> list[ShardState]:
        """Return how all shards of the mapping stand."""
        return await self.leases.shards(self.lease.shard.mapping)


@dataclass(frozen=True, slots=True)
class PolledMapping:
    """A mapping, and what polling it takes."""

    mapping: EventSourceMapping
    reference: Reference
    """The function."""
    services: Services
    filters: FilterCriteria
    """Which records the function gets."""
    metrics: MappingMetrics
    kind: SourceKind

    @property
    def batch_size(self) -> int:
        """Return how many records a batch has at most."""
        return self.mapping.spec.batch_size or self.kind.batch_size

    @property
    def window(self) -> float:
        """Return for how many seconds a batch is gathered."""
        given = self.mapping.spec.maximum_batching_window_in_seconds
        return self.kind.window if given is None else given

    async def invoke(self, event: bytes, request_id: str | None = None) -> Outcome:
        """Run the function with a batch; whatever stands in the way is an outcome, too."""
        request_id = request_id or new_request_id()
        invocation = Invocation(request_id, self.reference.arn, new_trace_id(), event)
        services = self.services
        try:
            target = await services.targets.find(self.reference)
            return await attempt(services.invoker, invocation, self.reference, target)
        except FunctionNotFoundError as error:
            return Refused("FunctionNotFound", error.message)
        except (ApiError, PilotlightError) as error:
            return NotRun(str(error))

    async def timeout(self) -> int:
        """Return the function's timeout in seconds; raises SourceError where there is none."""
        return (await self._target()).timeout

    async def role(self) -> str:
        """Return the ARN of the function's role; raises SourceError where there is no function."""
        return (await self._target()).function.spec.role or ""

    async def _target(self) -> Target:
        try:
            return await self.services.targets.find(self.reference)
        except FunctionNotFoundError as error:
            raise SourceError(error.message, "FunctionNotFound") from error


def result_of(outcome: Outcome, failed: int = 0) -> str:
    """Say an outcome as Lambda's LastProcessingResult does."""
    match outcome:
        case Ran(function_error=None) if not failed:
            return "OK"
        case Ran(function_error=None):
            return "PROBLEM: Function reported batch item failures"
        case Ran():
            return "PROBLEM: Function call failed"
        case NotRun(throttled=True):
            return "PROBLEM: Function call was throttled"
        case _:
            return f"PROBLEM: {outcome.reason}"
