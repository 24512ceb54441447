"""Any sequence of operations ends on SQLite and on PostgreSQL as on the queue in memory.

The queue in memory is the specification: after every step the answers are the same, and every
event that came is somewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from pilotlight_gateway.event_queue.interface import (
    Again,
    Dead,
    Done,
    EventLease,
    FunctionKey,
    Limits,
    QueueFullError,
    Settlement,
    StaleLeaseError,
)
from tests.support.events import event, postgres_queue, sqlite_queue
from tests.support.memory_event_queue import MemoryEventQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from pilotlight_gateway.event_queue.interface import EventQueue
    from tests.support.postgres import Postgres

LARGEST = 6
LIMITS = Limits(events=LARGEST)
ALPHABET = "aü\n"
FUNCTIONS = st.sampled_from(["f", "g", "h"])
IDS = st.sampled_from([f"id-{number}" for number in range(12)])
SETTLEMENTS = st.one_of(
    st.just(Done()),
    st.builds(
        Again,
        due_at=st.sampled_from([0.0, 50.0, 500.0]),
        tries=st.integers(0, 2),
        refusals=st.integers(0, 3),
        delivery=st.sampled_from([b"", b"told"]),
    ),
    st.builds(
        Dead,
        reason=st.just("Because"),
        message=st.text(ALPHABET, max_size=3),
        at=st.just(1.0),
        tries=st.integers(0, 3),
    ),
)
EVENTS = st.lists(
    st.builds(
        event,
        event_id=IDS,
        function=FUNCTIONS,
        dedup_key=st.sampled_from(["", "", "k"]),
        hold_seconds=st.sampled_from([10.0, 100.0]),
        payload=st.binary(max_size=3),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.id,
)


@dataclass(frozen=True)
class Kind:
    """A queue that is tested, and whether its leases end with its process."""

    open: Callable[[Path], AbstractAsyncContextManager[EventQueue]]
    one_process: bool


class Queues(RuleBasedStateMachine):
    """A queue and its specification."""

    leases: Bundle[EventLease] = Bundle("leases")
    kind: Kind

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = 0.0
        self.model = MemoryEventQueue(limits=LIMITS)
        self.folder = tempfile.TemporaryDirectory()
        self.stack = contextlib.AsyncExitStack()
        self.queue = self.open()

    def open(self) -> EventQueue:
        """Open the queue, which may have been there before."""
        path = Path(self.folder.name) / "events.sqlite"
        queue: EventQueue = self.run(self.stack.enter_async_context(self.kind.open(path)))
        return queue

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run an operation; a refusal is its outcome, too."""
        try:
            return self.runner.run(work)
        except (QueueFullError, StaleLeaseError) as refusal:
            return type(refusal), str(refusal)

    def both(self, operation: Callable[[EventQueue], Coroutine[Any, Any, Any]]) -> Any:
        """Run an operation on both, which must agree."""
        wanted = self.run(operation(self.model))
        assert self.run(operation(self.queue)) == wanted
        return wanted

    @rule(events=EVENTS)
    def enqueue(self, events: list[Any]) -> None:
        """Events come."""
        self.both(lambda queue: queue.enqueue(*events))

    @rule(
        target=leases,
        later=st.sampled_from([0.0, 1.0, 20.0, 200.0]),
        limit=st.integers(1, 5),
        most=st.integers(1, 4),
        held=st.integers(0, 2),
    )
    def lease(self, later: float, limit: int, most: int, held: int) -> Any:
        """A dispatcher asks for work, perhaps when leases have ended."""
        self.now += later

        def room(function: FunctionKey) -> int:
            return most - held * (function == FunctionKey("default", "f"))

        found = self.both(lambda queue: queue.lease(limit, self.now, room=room))
        return multiple(*found)

    @rule(lease=leases, settlement=SETTLEMENTS)
    def settle(self, lease: EventLease, settlement: Settlement) -> None:
        """A dispatcher settles, perhaps too late or again."""
        self.both(lambda queue: queue.settle(lease, settlement))

    @rule(target=leases, lease=consumes(leases))
    def extend(self, lease: EventLease) -> Any:
        """A dispatcher needs longer."""
        extended = self.both(lambda queue: queue.extend(lease, self.now + 30.0))
        return extended if isinstance(extended, EventLease) else lease

    @rule(function=FUNCTIONS, ids=st.none() | st.lists(IDS, max_size=3))
    def redrive(self, function: str, ids: list[str] | None) -> None:
        """Somebody has repaired the function."""
        key, now = FunctionKey("default", function), self.now
        self.both(lambda queue: queue.redrive(key, now, expires_at=now + 9.0, ids=ids))

    @rule(function=FUNCTIONS, ids=st.none() | st.lists(IDS, max_size=3))
    def purge(self, function: str, ids: list[str] | None) -> None:
        """Somebody has read the dead letters."""
        self.both(lambda queue: queue.purge(FunctionKey("default", function), ids=ids))

    @rule()
    def restart(self) -> None:
        """The process dies and comes back."""
        if self.kind.one_process:
            self.run(self.stack.aclose())
            self.queue = self.open()
            self.model.void_leases()
            # Whose turn it was is forgotten.
            self.model._turns = type(self.model._turns)()

    @invariant()
    def agree(self) -> None:
        """Both hold the same, and all of it."""
        assert self.both(lambda queue: queue.counts()).conserved
        self.both(lambda queue: queue.next_due())
        for function in ("f", "g", "h"):
            self.agree_on(FunctionKey("default", function))

    def agree_on(self, function: FunctionKey) -> None:
        """Both hold the same of a function."""
        self.both(lambda queue: queue.counts(function))
        self.both(lambda queue: queue.dead_letters(function, limit=99))

    def teardown(self) -> None:
        """Close everything, since warnings are errors."""
        self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


def check(kind: Kind, examples: int, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    machine = type("Machine", (Queues,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_sqlite_does_what_memory_does() -> None:
    check(Kind(lambda path: sqlite_queue(path, limits=LIMITS), one_process=True), 60)


def test_postgres_does_what_memory_does(server: Postgres) -> None:
    def opened(_: Path) -> AbstractAsyncContextManager[EventQueue]:
        return postgres_queue(server.url, limits=LIMITS)

    check(Kind(opened, one_process=False), 25)


def test_a_queue_that_forgets_the_epoch_is_caught() -> None:
    class Forgetful(MemoryEventQueue):
        async def settle(self, lease: EventLease, settlement: Settlement) -> None:
            entry = self._entries.get(lease.event.id)
            if entry is not None and entry.state == "in flight":
                lease = EventLease(lease.event, entry.epoch, lease.until, lease.redelivered)
            await super().settle(lease, settlement)

    @contextlib.asynccontextmanager
    async def opened(_: Path) -> AsyncIterator[EventQueue]:
        yield Forgetful(limits=LIMITS)

    with pytest.raises(AssertionError):
        check(Kind(opened, one_process=False), 3000, (Phase.generate,))
