"""The queue in memory: the specification that the databases are tested against.

It promises everything but durability, in the simplest code that says it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from pilotlight.errors import NotFoundError
from pilotlight_gateway.event_queue import migrations, sqlite_statements
from pilotlight_gateway.event_queue.fairness import Turns
from pilotlight_gateway.event_queue.interface import (
    KEY_SECONDS,
    Again,
    Counts,
    Dead,
    DeadLetter,
    Done,
    Event,
    EventLease,
    FunctionKey,
    Limits,
    Settlement,
    StaleLeaseError,
)
from pilotlight_gateway.event_queue.source_leases import SourceLeases
from pilotlight_gateway.event_queue.writes import Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pilotlight_gateway.event_queue.source_leases import Statements

__all__ = ["MemoryEventQueue", "memory_source_leases"]

T = TypeVar("T")


@dataclass(slots=True)
class _Entry:
    event: Event
    number: int
    state: Literal["waiting", "in flight", "dead"] = "waiting"
    epoch: int = 0
    due_at: float = 0.0
    """When it may be leased: what the event says, or the end of its lease."""
    reason: str = ""
    message: str = ""
    died_at: float = 0.0


@dataclass(slots=True)
class _Tally:
    enqueued: int = 0
    done: int = 0
    purged: int = 0


class MemoryEventQueue:
    """An `EventQueue` that ends with its process."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._entries: dict[str, _Entry] = {}
        self._keys: dict[tuple[FunctionKey, str], float] = {}
        self._tallies: dict[FunctionKey, _Tally] = {}
        self._numbers = itertools.count()
        self._turns = Turns()
        self._arrived = asyncio.Event()
        self.source_leases = memory_source_leases()

    async def enqueue(self, *events: Event) -> list[bool]:
        """Keep events, all or none."""
        kept = {
            function: tally.enqueued - tally.done - tally.purged
            for function, tally in self._tallies.items()
        }
        sizes: Counter[FunctionKey] = Counter()
        accounts: Counter[str] = Counter()
        for one in self._entries.values():
            sizes[one.event.function_key] += len(one.event.payload)
            accounts[one.event.namespace] += len(one.event.payload)
        Room(self._limits, kept, sizes, accounts).take(events)
        new = [self._keep(event) for event in events]
        self._arrived.set()
        return new

    async def lease(
        self, limit: int, now: float, *, room: Callable[[FunctionKey], int]
    ) -> list[EventLease]:
        """Lease what is due, functions taking turns."""
        due = [one for one in self._alive() if one.due_at <= now]
        functions = sorted({one.event.function_key for one in due})
        leases = []
        shares = self._turns.shares(functions, limit, room)
        for function, share in shares.items():
            of_function = [one for one in due if one.event.function_key == function]
            of_function.sort(key=lambda one: (one.due_at, one.number))
            leases += [_lease(one, now) for one in of_function[:share]]
        return leases

    async def settle(self, lease: EventLease, settlement: Settlement) -> None:
        """Say how an event goes on."""
        entry = self._leased(lease)
        match settlement:
            case Done():
                del self._entries[lease.event.id]
                self._tallies[lease.event.function_key].done += 1
            case Again():
                entry.state, entry.due_at = "waiting", settlement.due_at
                entry.event = _changed(entry.event, settlement)
                self._arrived.set()
            case Dead():
                entry.state, entry.died_at = "dead", settlement.at
                entry.reason, entry.message = settlement.reason, settlement.message
                entry.event = replace(entry.event, tries=settlement.tries)

    async def extend(self, lease: EventLease, until: float) -> EventLease:
        """Hold an event longer."""
        self._leased(lease).due_at = until
        return replace(lease, until=until)

    async def next_due(self) -> float | None:
        """Say when the next event is due or the next lease ends."""
        return min((one.due_at for one in self._alive()), default=None)

    async def wait(self, seconds: float) -> None:
        """Wait until events may have come, at most that long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)
        self._arrived.clear()

    async def counts(self, function: FunctionKey | None = None) -> Counts:
        """Count the events of a function, or all."""
        states = [
            one.state
            for one in self._entries.values()
            if function in {None, one.event.function_key}
        ]
        tallies = [tally for of, tally in self._tallies.items() if function in {None, of}]
        return Counts(
            enqueued=sum(tally.enqueued for tally in tallies),
            waiting=states.count("waiting"),
            in_flight=states.count("in flight"),
            done=sum(tally.done for tally in tallies),
            dead=states.count("dead"),
            purged=sum(tally.purged for tally in tallies),
        )

    async def dead_letters(
        self, function: FunctionKey, *, after: str = "", limit: int
    ) -> list[DeadLetter]:
        """Return dead letters by id."""
        found = [one for one in self._dead(function, None) if one.event.id > after]
        found.sort(key=lambda one: one.event.id)
        return [_letter(one) for one in found[:limit]]

    async def dead_letter(self, namespace: str, event_id: str) -> DeadLetter:
        """Return one dead letter."""
        entry = self._entries.get(event_id)
        if entry is None or entry.state != "dead" or entry.event.namespace != namespace:
            raise NotFoundError(f"no dead letter {event_id}")
        return _letter(entry)

    async def redrive(
        self,
        function: FunctionKey,
        now: float,
        *,
        expires_at: float,
        ids: Sequence[str] | None = None,
    ) -> int:
        """Let dead letters wait again."""
        found = list(self._dead(function, ids))
        for entry in found:
            entry.state, entry.due_at = "waiting", now
            entry.event = replace(
                entry.event, due_at=now, expires_at=expires_at, tries=0, refusals=0
            )
        self._arrived.set()
        return len(found)

    async def purge(self, function: FunctionKey, *, ids: Sequence[str] | None = None) -> int:
        """Throw dead letters away."""
        found = list(self._dead(function, ids))
        for entry in found:
            del self._entries[entry.event.id]
            self._tallies[function].purged += 1
        return len(found)

    async def close(self) -> None:
        """Let go of nothing: there is nothing to let go of."""

    def void_leases(self) -> None:
        """Let every lease end now, as a single process's do when it comes back."""
        for entry in self._alive():
            if entry.state == "in flight":
                entry.due_at = 0.0

    def _keep(self, event: Event) -> bool:
        if event.id in self._entries or self._is_known(event):
            return False
        self._entries[event.id] = _Entry(event, next(self._numbers), due_at=event.due_at)
        self._tallies.setdefault(event.function_key, _Tally()).enqueued += 1
        return True

    def _is_known(self, event: Event) -> bool:
        if not event.dedup_key:
            return False
        key = (event.function_key, event.dedup_key)
        if self._keys.get(key, 0.0) > event.enqueued_at:
            return True
        self._keys[key] = event.enqueued_at + KEY_SECONDS
        return False

    def _leased(self, lease: EventLease) -> _Entry:
        entry = self._entries.get(lease.event.id)
        if entry is None or entry.state != "in flight" or entry.epoch != lease.epoch:
            raise StaleLeaseError(lease)
        return entry

    def _alive(self) -> Iterator[_Entry]:
        return (one for one in self._entries.values() if one.state != "dead")

    def _dead(self, function: FunctionKey, ids: Sequence[str] | None) -> Iterator[_Entry]:
        for one in self._entries.values():
            wanted = ids is None or one.event.id in ids
            if one.state == "dead" and one.event.function_key == function and wanted:
                yield one


def _lease(entry: _Entry, now: float) -> EventLease:
    redelivered = entry.state == "in flight"
    entry.state = "in flight"
    entry.epoch += 1
    entry.due_at = now + entry.event.hold_seconds
    return EventLease(entry.event, entry.epoch, entry.due_at, redelivered)


def _changed(event: Event, settlement: Again) -> Event:
    return replace(
        event,
        due_at=settlement.due_at,
        tries=settlement.tries,
        refusals=settlement.refusals,
        delivery=settlement.delivery,
    )


def _letter(entry: _Entry) -> DeadLetter:
    return DeadLetter(entry.event, entry.reason, entry.message, entry.died_at)


def memory_source_leases() -> SourceLeases:
    """Make leases that end with their process."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    sqlite_statements.migrate(connection, migrations.NEWEST)

    async def run(steps: Statements[T]) -> T:
        return sqlite_statements.run(connection, steps=steps)

    return SourceLeases(run, clock=sqlite_statements.CLOCK)
