"""What a source of events is to the gateway: a file here for each kind, in `SOURCES` by its name.

A source works on shards that this gateway holds (`keeper`): of a queue the whole, of a stream the
root, which lists the shards, and each of those. It reads, has its batches invoked
(`PolledMapping.invoke`), and settles them by its own rules: `queue_poller` does so for everything
whose messages are settled one by one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pilotlight.errors import PilotlightError
from pilotlight_gateway.errors import ApiError, FunctionNotFoundError
from pilotlight_gateway.events.attempt import NotRun, Ran, Refused, attempt
from pilotlight_gateway.identifiers import new_request_id, new_trace_id
from pilotlight_gateway.invocation.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pilotlight.patterns import FilterCriteria
    from pilotlight.resources import EventSourceMapping
    from pilotlight_gateway.event_queue.source_leases import (
        ShardLease,
        ShardState,
        SourceLeases,
    )
    from pilotlight_gateway.event_source_metrics import MappingMetrics
    from pilotlight_gateway.events.attempt import Outcome
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.services import Services


__all__ = ["HeldShard", "PolledMapping", "Source", "SourceError", "result_of"]


class SourceError(PilotlightError):
    """A source cannot be polled, or not now; the message is Lambda's where Lambda has one."""

    code = "EventSource"
    status = 400

    def __init__(self, message: str, reason: str = "Unreachable") -> None:
        """`reason` is the condition's, such as Unreachable, AccessDenied, NotFound or Invalid."""
        super().__init__(message)
        self.reason = reason


class Source(Protocol):
    """The source of one mapping."""

    async def check(self) -> None:
        """Ask the source whether the mapping can be polled; raises SourceError."""
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
        """How far the shard had been read when it was taken."""
        return self.lease.checkpoint

    async def save(self, checkpoint: str, *, finished: bool = False) -> None:
        """Keep how far the shard has been read; a finished one is never held again.

        Raises LostShardError.
        """
        await self.leases.save(self.lease, checkpoint, finished=finished)

    async def add(self, shards: Mapping[str, str]) -> None:
        """From the root: have shards polled, each from its checkpoint; raises LostShardError."""
        await self.leases.add(self.lease, shards)

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

    async def invoke(self, event: bytes) -> Outcome:
        """Run the function with a batch; whatever stands in the way is an outcome, too."""
        invocation = Invocation(new_request_id(), self.reference.arn, new_trace_id(), event)
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
        try:
            return (await self.services.targets.find(self.reference)).timeout
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
