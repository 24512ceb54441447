"""How a batch of a shard goes on: retried in order until success, expiry or its last retry. Pure.

AWS Lambda Developer Guide, "Using Lambda with Kinesis" and "with DynamoDB", batching, error
handling and partial batch responses. A batch that failed is halved, which uses up no retry, or
retried. What a function's answer says is done never comes again, and what is left of the batch
begins with all its retries: a record is given up for its own failures only. What did not run
(throttled, or the platform failed) is no retry. Not told there, and so ours: the order of these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.resources import EventSourceMappingSpec

    from .stream import StreamRecord

__all__ = ["DEFAULT_RETRIES", "Batch", "GivenUp", "Rules", "Step"]


DEFAULT_RETRIES = 10
"""Of Kafka, where a destination is named and retries are without end (AWS Lambda Developer Guide,
"Configuring error handling controls for Kafka event sources")."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that the function gets together."""

    records: tuple[StreamRecord, ...]
    retries: int = 0
    """How many it has used up."""
    invocations: int = 0
    """How often the function ran with these records, in whatever batch."""

    def halves(self) -> tuple[Batch, Batch]:
        """Split it; each half has the retries that are left."""
        middle = len(self.records) // 2
        return (
            replace(self, records=self.records[:middle]),
            replace(self, records=self.records[middle:]),
        )


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Records that are not tried any more."""

    batch: Batch
    condition: str
    """Lambda's word for why."""


@dataclass(frozen=True, slots=True)
class Step:
    """What became of a batch, and what is left of it."""

    done: tuple[StreamRecord, ...] = ()
    given_up: GivenUp | None = None
    left: tuple[Batch, ...] = ()
    """What comes next, in this order."""
    wait: bool = False
    """Whether a while should pass first."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A mapping's rules; -1 means without end."""

    retries: int = -1
    age: float = -1
    """Seconds."""
    bisect: bool = False

    @classmethod
    def of(cls, spec: EventSourceMappingSpec) -> Rules:
        """Read a mapping's."""
        retries, age = spec.maximum_retry_attempts, spec.maximum_record_age_in_seconds
        return cls(
            -1 if retries is None else retries,
            -1 if age is None else age,
            bool(spec.bisect_batch_on_function_error),
        )

    def expired(self, batch: Batch, now: float) -> Step | None:
        """Give up the records at a batch's head that are too old, if there are any."""
        if self.age < 0:
            return None
        records = batch.records
        fresh = (at for at, one in enumerate(records) if one.arrived_at + self.age >= now)
        old = next(fresh, len(records))
        if not old:
            return None
        gone = replace(batch, records=records[:old])
        left = (replace(batch, records=records[old:]),) if old < len(records) else ()
        return Step(given_up=GivenUp(gone, "RecordAgeExceeded"), left=left)

    def after_run(self, batch: Batch, failed: int | None) -> Step:
        """Say how a batch goes on after the function ran; `failed` is the first record that failed.

        None is a success, 0 a failure of the whole.
        """
        batch = replace(batch, invocations=batch.invocations + 1)
        if failed is None:
            return Step(done=batch.records)
        if failed:
            rest = Batch(batch.records[failed:], invocations=batch.invocations)
            return Step(done=batch.records[:failed], left=(rest,), wait=not self.bisect)
        if self.bisect and len(batch.records) > 1:
            return Step(left=batch.halves())
        if 0 <= self.retries <= batch.retries:
            return Step(given_up=GivenUp(batch, "RetryAttemptsExhausted"))
        return Step(left=(replace(batch, retries=batch.retries + 1),), wait=True)
