"""Slots of one process, whatever the process does: nothing is lost, nothing runs twice."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.invocation import Answer, Invocation, Refusal, Result
from pilotlight_agent.lifecycle import shared_environment, slot
from pilotlight_agent.lifecycle.shared_environment import SharedEnvironment
from pilotlight_agent.lifecycle.slot import Slot
from pilotlight_wire.protocol import State
from pilotlight_wire.specialisation import FunctionFacts
from tests.simulation.virtual import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 3
SLOTS = 3
FUNCTION = FunctionFacts(
    name="f", arn="arn", runtime="provided.al2023", timeout=TIMEOUT, calls_per_environment=SLOTS
)
OK = Result(b"ok", "application/json")


class FakeProcess:
    """A runtime that does what a test says; `queue` is what it has not taken yet."""

    def __init__(self, *_parts: object) -> None:
        self.ready = False
        self.alive = True
        self.pid = 1
        self.memory = Mock(peak_megabytes=7)
        self.queue: list[Invocation] = []
        self.taken: dict[str, Invocation] = {}
        self.late: list[str] = []
        self.served = False

    def deliver(self, invocation: Invocation) -> None:
        assert self.alive
        assert self.ready
        assert invocation.began is None, "it runs a second time"
        queued = [each.request_id for each in self.queue]
        assert invocation.request_id not in {*self.taken, *self.late, *queued}
        self.queue.append(invocation)

    def withdraw(self, invocation: Invocation) -> bool:
        if invocation in self.queue:
            self.queue.remove(invocation)
            return True
        if self.taken.pop(invocation.request_id, None):
            self.late.append(invocation.request_id)
        return False

    def settle(self, *_: object, **__: object) -> None:
        assert self.alive

    def shut_down(self) -> float:
        return 0.0

    def kill(self, _others: object) -> None:
        self.alive = False


class Calls(RuleBasedStateMachine):
    """Callers, the process, and time that passes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.processes: list[FakeProcess] = []
        self.slots: list[Slot] = []
        self.answers: dict[int, list[Answer | Refusal]] = {}
        self.numbers = itertools.count()
        self.patches: list[Any] = [
            patch.object(shared_environment, "RuntimeProcess", self._start),
            patch.object(shared_environment, "time", SimpleNamespace(time=self.loop.time)),
            patch.object(slot, "time", SimpleNamespace(time=self.loop.time)),
        ]
        for each in self.patches:
            each.start()
        self.run(self._make)

    def _make(self) -> None:
        api, spawner = Mock(), Mock(helpers=())
        self.environment = SharedEnvironment(
            FUNCTION, Mock(), api=api, spawner=spawner, others=lambda _: {}
        )

    def _start(self, *parts: object) -> FakeProcess:
        assert not any(process.alive for process in self.processes)
        self.processes.append(FakeProcess(*parts))
        return self.processes[-1]

    def run(self, work: Callable[[], object], seconds: float = 0.0) -> None:
        """Do something in the loop, and let time pass."""

        async def both() -> None:
            work()
            await asyncio.sleep(seconds)

        self.loop.run_until_complete(both())

    @property
    def process(self) -> FakeProcess | None:
        return next((one for one in self.processes if one.alive), None)

    @property
    def living(self) -> list[Slot]:
        return [one for one in self.slots if one.state is not State.ENDED]

    @initialize(slots=st.integers(1, SLOTS), ready=st.booleans())
    def begin(self, slots: int, ready: bool) -> None:  # noqa: FBT001 -- hypothesis gives it
        for _ in range(slots):
            self.run(self._lease)
        if ready:
            self.run(self.environment.on_ready)

    @precondition(lambda self: len(self.slots) < SLOTS and not self.environment.ended)
    @rule()
    def lease(self) -> None:
        self.run(self._lease)

    def _lease(self) -> None:
        self.slots.append(Slot(str(len(self.slots)), FUNCTION, self.environment, Mock()))
        self.slots[-1].start()

    @precondition(lambda self: any(one.invocation is None for one in self.living))
    @rule(request_id=st.sampled_from("abcd"), wait=st.sampled_from([0, 1, 5]))
    def invoke(self, request_id: str, wait: int) -> None:
        free = next(one for one in self.living if one.invocation is None)
        number = next(self.numbers)
        answers = self.answers[number] = []
        start_by = int((self.loop.time() + wait) * 1000) if wait else 0
        invocation = Invocation(
            request_id, b"{}", "", "", "", "", "", "", start_by, reply=answers.append
        )
        self.run(lambda: free.invoke(invocation))

    @precondition(lambda self: self.process and not self.process.ready)
    @rule()
    def initialise(self) -> None:
        self.run(self.environment.on_ready)

    @precondition(lambda self: self.process and self.process.queue)
    @rule()
    def take(self) -> None:
        process = self.process
        assert process
        invocation = process.queue.pop(0)
        assert invocation.request_id not in process.taken
        process.taken[invocation.request_id] = invocation
        process.served = True
        self.run(invocation.begin)

    @precondition(lambda self: self.process and self.process.taken)
    @rule()
    def answer(self) -> None:
        process = self.process
        assert process
        request_id, _ = process.taken.popitem()
        self.run(lambda: self.environment.on_result(request_id, OK))

    @precondition(lambda self: self.process and self.process.late)
    @rule()
    def answer_late(self) -> None:
        process = self.process
        assert process
        request_id = process.late.pop()
        self.run(lambda: self.environment.on_result(request_id, OK))

    @rule(seconds=st.sampled_from([0.5, 1.5, TIMEOUT, 10]))
    def wait(self, seconds: float) -> None:
        self.run(lambda: None, seconds)

    @rule(what=st.sampled_from(["exit", "memory", "init error", "end one", "nothing for long"]))
    def go_wrong(self, what: str) -> None:
        """One rule, so that not all runs are of nothing else."""
        if what == "nothing for long":
            self.run(lambda: None, 1_000)
            assert all(one.invocation is None for one in self.slots), "somebody waits for ever"
        elif what == "end one" and len(self.living) > 1:
            self.run(self.living[0].end)
        elif self.process and what == "init error" and not self.process.ready:
            self.run(lambda: self.environment.on_init_error("Runtime.Bad", b"{}"))
        elif self.process and what == "memory":
            self.lose(lambda: self.environment.on_broken(failure.out_of_memory))
        elif self.process and what == "exit":
            self.lose(lambda: self.environment.on_exit(1))

    def lose(self, end: Callable[[], None]) -> None:
        """End the process, and what it had taken; what waits the next one gets, if this served."""
        process = self.process
        assert process
        taken = list(process.taken.values())
        waiting = [one.waiting for one in self.living if one.waiting]
        self.run(end)
        held = [one.invocation for one in self.living]
        assert not any(each in held for each in taken)
        if process.served:
            assert all(each in held for each in waiting)

    @invariant()
    def states_say_what_is(self) -> None:
        for one in self.living:
            assert (one.state is State.BUSY) == (one.invocation is not None)
            if one.state is State.IDLE:
                assert self.process is None or self.process.ready

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        assert all(len(answers) <= 1 for answers in self.answers.values())

    @invariant()
    def what_is_delivered_waits_in_a_slot(self) -> None:
        process = self.process
        if process is not None:
            held = [one.invocation for one in self.slots if one.invocation]
            assert all(each in held for each in process.taken.values())

    def teardown(self) -> None:
        try:
            for one in self.slots:
                self.run(one.end)
            assert all(len(answers) == 1 for answers in self.answers.values())
            assert not any(process.alive for process in self.processes)
            assert self.environment.gone.is_set() == bool(self.slots)
        finally:
            for each in self.patches:
                each.stop()
            self.loop.close()


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
