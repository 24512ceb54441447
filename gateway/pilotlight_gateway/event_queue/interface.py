"""What the queue of asynchronous events promises; a queue in memory (tests) specifies it.

An event is waiting, in flight under a lease, done (and forgotten) or dead (and kept). Who leases it
gets an epoch; only the newest epoch may settle, so that a dispatcher that was late or cut off never
undoes what another did. `sqlite` keeps events on one machine, `postgres` in a cluster.

Times are seconds since the epoch and always come from the caller: the queue has no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pilotlight.errors import PilotlightError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .source_leases import SourceLeases

__all__ = [
    "KEY_SECONDS",
    "Again",
    "Counts",
    "Dead",
    "DeadLetter",
    "Done",
    "Event",
    "EventLease",
    "EventQueue",
    "FunctionKey",
    "Limits",
    "QueueFullError",
    "Settlement",
    "StaleLeaseError",
]

KEY_SECONDS = 86_400.0
"""How long a dedup key is remembered: longer than any event may wait (6 h)."""


class FunctionKey(NamedTuple):
    """A function's name in its namespace, by which fairness and bounds go."""

    namespace: str
    function: str
    """Lambda's name."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may stand in a queue, dead letters included."""

    events: int = 250_000
    """Of one function."""
    function_bytes: int = 1 << 30
    """Of one function's payloads."""
    account_bytes: int = 4 << 30
    """Of all payloads in one namespace."""


@dataclass(frozen=True, slots=True)
class Event:
    """An invocation that was accepted and is owed."""

    id: str
    """The request id, the same on every try."""
    account: str
    namespace: str
    function: str
    """Lambda's name of the function."""
    payload: bytes
    enqueued_at: float
    due_at: float
    """Not before then is it leased."""
    expires_at: float
    """From then on it is not tried any more."""
    hold_seconds: float
    """How long a lease lasts: more than the function's timeout and the grace of its end."""
    qualifier: str = ""
    """The version or alias that was asked for; empty where none was."""
    trace_id: str = ""
    tenant_id: str = ""
    """Whose it is, of a function that isolates its tenants."""
    dedup_key: str = ""
    tries: int = 0
    """Runs that ended in a function error."""
    refusals: int = 0
    """Attempts that did not run: throttled, or the platform failed."""
    delivery: bytes = b""
    """What is still to be told to destinations; empty while the function is still to run."""

    @property
    def function_key(self) -> FunctionKey:
        """The function that the event is for."""
        return FunctionKey(self.namespace, self.function)


@dataclass(frozen=True, slots=True)
class EventLease:
    """The right to work on an event, until `until` or until somebody has a newer epoch."""

    event: Event
    epoch: int
    until: float
    redelivered: bool
    """Whether an earlier lease ended without having been settled."""


@dataclass(frozen=True, slots=True)
class Done:
    """The event has ended well and is forgotten."""


@dataclass(frozen=True, slots=True)
class Again:
    """The event waits again, as this says."""

    due_at: float
    tries: int
    refusals: int
    delivery: bytes = b""


@dataclass(frozen=True, slots=True)
class Dead:
    """The event has ended without success and is kept as a dead letter."""

    reason: str
    """One word, such as RetriesExhausted."""
    message: str
    at: float
    tries: int = 0
    """How often the function ran."""


Settlement = Done | Again | Dead


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that ended without success."""

    event: Event
    reason: str
    message: str
    died_at: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events there were and where they are now."""

    enqueued: int = 0
    waiting: int = 0
    in_flight: int = 0
    done: int = 0
    dead: int = 0
    purged: int = 0
    """Dead letters that somebody threw away on purpose."""

    @property
    def conserved(self) -> bool:
        """Whether every event that came is somewhere; true at every moment."""
        there = self.waiting + self.in_flight + self.done + self.dead + self.purged
        return self.enqueued == there


class QueueFullError(ThrottledError):
    """A function, or its account, has as much standing as it may; `full` says of what."""

    def __init__(self, key: FunctionKey, full: str) -> None:
        super().__init__(
            f"Rate Exceeded. The queue of the function {key.function} is full: "
            f"{full} may stand there, dead letters included.",
            reason="FunctionInvocationRateLimitExceeded",
            retry_after=5,
        )


class StaleLeaseError(PilotlightError):
    """A lease was settled that is not the event's newest one, or was settled before."""

    code = "StaleLease"
    status = 409

    def __init__(self, lease: EventLease) -> None:
        super().__init__(
            f"event {lease.event.id}: the lease of epoch {lease.epoch} is not in force any more"
        )


class EventQueue(Protocol):
    """Events that were accepted; every method may raise UnavailableError, and then did nothing."""

    source_leases: SourceLeases
    """Who polls which event source: the same database keeps it."""

    async def enqueue(self, *events: Event) -> list[bool]:
        """Keep events, all or none; returns once they are on disk.

        Says of each whether it is new: one whose id or dedup key is kept already is not kept
        twice. Raises QueueFullError.
        """
        ...

    async def lease(
        self, limit: int, now: float, *, room: Callable[[FunctionKey], int]
    ) -> list[EventLease]:
        """Lease up to `limit` events that are due, functions taking turns.

        `room` says how many of a function are wanted at most; it may be asked in any thread.
        """
        ...

    async def settle(self, lease: EventLease, settlement: Settlement) -> None:
        """Say how an event goes on; raises StaleLeaseError, and then nothing changes."""
        ...

    async def extend(self, lease: EventLease, until: float) -> EventLease:
        """Hold an event longer; raises StaleLeaseError."""
        ...

    async def next_due(self) -> float | None:
        """Say when the next event is due or the next lease ends."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait until events may have come, at most that long."""
        ...

    async def counts(self, function: FunctionKey | None = None) -> Counts:
        """Count the events of a function, or all."""
        ...

    async def dead_letters(
        self, function: FunctionKey, *, after: str = "", limit: int
    ) -> list[DeadLetter]:
        """Return dead letters by id, from the one after `after` on."""
        ...

    async def dead_letter(self, namespace: str, event_id: str) -> DeadLetter:
        """Return one dead letter; raises NotFoundError."""
        ...

    async def redrive(
        self,
        function: FunctionKey,
        now: float,
        *,
        expires_at: float,
        ids: Sequence[str] | None = None,
    ) -> int:
        """Let dead letters, or all of a function, wait again with their tries forgotten."""
        ...

    async def purge(self, function: FunctionKey, *, ids: Sequence[str] | None = None) -> int:
        """Throw dead letters, or all of a function, away."""
        ...

    async def close(self) -> None:
        """Finish what has begun and let go."""
        ...
