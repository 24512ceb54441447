"""A place for one call in an environment whose process takes several at once.

Gateways lease it, and the platform counts it, like an environment that takes one; so limits count
calls. What happens to the process, and so to all its slots, is `shared_environment`'s affair.
"""

import asyncio
import time
from typing import Protocol

from pilotlight_agent.invocations.failure import Failure
from pilotlight_agent.invocations.invocation import Answer, Invocation, Refusal, Result
from pilotlight_agent.invocations.report import Report, reported
from pilotlight_agent.processes.timer import Timer
from pilotlight_wire.protocol import Error, State
from pilotlight_wire.specialisation import FunctionFacts

from .environment_log import EnvironmentLog
from .leased import changed


class Process(Protocol):
    """What a slot asks of its environment, and tells it."""

    settled: asyncio.Event
    gone: asyncio.Event

    @property
    def initialised(self) -> bool:
        """Whether the process can be given an event."""

    def join(self, slot: "Slot") -> None:
        """Take a slot in."""

    def take(self, slot: "Slot") -> None:
        """Run the invocation that a slot has."""

    def began(self) -> None:
        """Learn that the function has begun an invocation."""

    def waited_too_long(self, slot: "Slot") -> None:
        """Learn that an invocation may not begin any more."""

    def overran(self, slot: "Slot") -> None:
        """Learn that an invocation has had its time."""

    def left(self, invocation: Invocation | None) -> None:
        """Learn that a slot has ended, and the invocation that it had."""


class Slot:
    """Has one invocation at a time; `invoke` answers by `Invocation.reply`, always exactly once."""

    def __init__(
        self, identity: str, function: FunctionFacts, process: Process, log: EnvironmentLog
    ) -> None:
        self.identity = identity
        self.born = 0
        self.state = State.STARTING
        self.epoch = 0
        self.holder = ""
        self.lease = b""
        self.settled = process.settled
        self.gone = process.gone
        self.log = log
        self.invocation: Invocation | None = None
        self.delivered = False
        """Whether the process has the invocation, or gets it as soon as it asks."""
        self._function = function
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._timer = Timer(self._time_is_up)
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def initialised(self) -> bool:
        """Whether its process is past the init phase."""
        return self._process.initialised

    @property
    def running(self) -> Invocation | None:
        """What the function has begun."""
        invocation = self.invocation
        return None if invocation is None or invocation.began is None else invocation

    @property
    def waiting(self) -> Invocation | None:
        """What the function has not begun yet."""
        return self.invocation if self.running is None else None

    def start(self) -> None:
        """Begin; call once."""
        self._process.join(self)

    def become(self, state: State) -> None:
        """Change its state, and tell of it."""
        if state is not self.state:
            self.state = changed(self.state, state)
            self.log.state(state)

    def invoke(self, invocation: Invocation) -> None:
        """Run the function once, as soon as the process takes it."""
        self.state = changed(self.state, State.BUSY)
        self.invocation, self.delivered = invocation, False
        self._quiet.clear()
        invocation.on_begin = self._begin
        if invocation.start_by:
            wait = invocation.start_by / 1000 - time.time()
            self._timer.set(self._loop.time() + wait)
        self._process.take(self)

    def refuse(self, error: Error, message: str) -> None:
        """Answer that the function has not begun, and will not."""
        invocation = self._release()
        self.become(State.IDLE if self._process.initialised else State.STARTING)
        if invocation is not None:
            invocation.reply(Refusal(error, message))

    def finish(
        self, result: Result, then: State, *, used: int, init_duration: float | None
    ) -> None:
        """Answer; what is only written down comes after the answer. `used`: memory in MB."""
        invocation = self._release()
        if invocation is None:
            return
        began = invocation.began
        duration = 0.0 if began is None else (self._loop.time() - began) * 1000
        report = Report(
            invocation.request_id, duration, self._function.memory, used, init_duration,
            *reported(result.failure),
        )  # fmt: skip
        lines = self.log.word(invocation, report)
        self.state = changed(self.state, then)
        invocation.reply(Answer(result, report, invocation.encoded_tail(), then))
        self.log.finished(invocation, report, lines, len(result.body))
        if then is not State.IDLE:
            self.log.state(then)

    def fail(self, problem: Failure, then: State, *, used: int) -> None:
        """Answer with a failure that is not the function's own."""
        invocation = self.invocation
        if invocation is None:
            return
        self._announce(invocation)
        self.log.failed(invocation, problem)
        result = Result(problem.body, "application/json", problem)
        self.finish(result, then, used=used, init_duration=None)

    async def quiet(self) -> None:
        """Wait until no invocation runs."""
        await self._quiet.wait()

    def end(self) -> None:
        """End at once, whatever runs."""
        if self.state is State.ENDED:
            return
        invocation = self._release()
        self.become(State.ENDED)
        if invocation is not None:
            error = Error.INVOCATION_ENDED if invocation.announced else Error.ENVIRONMENT_ENDED
            invocation.reply(Refusal(error, "the environment was ended"))
        self._process.left(invocation)

    def _begin(self) -> None:
        """Start the invocation's time: the function has it now."""
        invocation = self.invocation
        if invocation is None or invocation.began is not None:
            return
        timeout = self._function.timeout
        invocation.began = self._loop.time()
        invocation.deadline = int((time.time() + timeout) * 1000)
        self._timer.set(invocation.began + timeout)
        self._announce(invocation)
        self._process.began()

    def _announce(self, invocation: Invocation) -> None:
        if not invocation.announced:
            invocation.announced = True
            self.log.started(invocation)

    def _release(self) -> Invocation | None:
        invocation, self.invocation = self.invocation, None
        self._timer.clear()
        self._quiet.set()
        return invocation

    def _time_is_up(self) -> None:
        if self.running is not None:
            self._process.overran(self)
        elif self.invocation is not None:
            self._process.waited_too_long(self)
