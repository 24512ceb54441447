"""An execution environment whose one process takes several calls at once, one for each `slot`.

The process is told how many by AWS_LAMBDA_MAX_CONCURRENCY. It may take fewer: an invocation waits
until it is taken, and its time counts from there. A timeout ends the call alone, whose code goes
on, as in Lambda's managed instances; but a process that takes nothing any more, since nothing runs
in it but calls whose time is over, is replaced. What ends the process ends the calls that it had
taken; those that wait are given to the next one.
Source: AWS Lambda Developer Guide, "Understanding the Lambda Managed Instances execution
environment".
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pilotlight_agent.errors import NotStartableError
from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.failure import Failure, Status
from pilotlight_agent.invocations.invocation import Invocation, Result
from pilotlight_agent.processes import tree
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.processes.timer import Timer
from pilotlight_agent.runtimes.family import Setting
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from pilotlight_wire.protocol import Error, State
from pilotlight_wire.specialisation import FunctionFacts

from .runtime_process import Phase, RuntimeProcess
from .slot import Slot
from .slots import Slots

_LEAST_INIT_SECONDS = 130
"""Lambda's of managed instances, where the function's timeout is not longer."""
_GRACE_SECONDS = 1.0
"""How long a call that is over may yet come back before its process, which takes no other, ends."""

_Describe = Callable[[str], Failure]


class SharedEnvironment:
    """Serves one revision with one process at a time."""

    def __init__(
        self,
        function: FunctionFacts,
        setting: Setting,
        *,
        api: RuntimeApi,
        spawner: Spawner,
        others: Callable[["SharedEnvironment"], dict[int, bytes]],
    ) -> None:
        self.settled = asyncio.Event()
        self.gone = asyncio.Event()
        self._function = function
        self.setting = setting
        self._others = others
        self._api = api
        self._spawner = spawner
        self._init_seconds = max(_LEAST_INIT_SECONDS, function.timeout)
        self._loop = asyncio.get_running_loop()
        self._slots = Slots()
        self._overrun: dict[str, Invocation] = {}
        """Invocations whose time is over and whose code goes on, by their request ids."""
        self._process: RuntimeProcess | None = None
        self._phase = Phase.FIRST
        self._launched = 0.0
        self._served = False
        """Whether the process has taken anything."""
        self._init_duration: float | None = None
        self._init_timer = Timer(self._init_timed_out)
        self._stuck_timer = Timer(self._give_up)
        self._age = Timer(self._grow_old)
        self._old = False
        self._restarted_idle = False
        self._winds_down = False

    @property
    def pid(self) -> int | None:
        """Process id of the runtime, None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def initialised(self) -> bool:
        """Whether its process is past the init phase."""
        return self._process is not None and self._process.ready

    @property
    def ended(self) -> bool:
        """Whether it takes no more slots."""
        return self._old or self._slots.all_ended

    # What its slots tell.

    def join(self, slot: Slot) -> None:
        """Take a slot in; the first one starts the process."""
        slot.log.state(slot.state)
        if self._slots.add(slot) == 1:
            self._age.set(self._loop.time() + self._function.lifetime)
            self._launch(Phase.FIRST)
        elif self.initialised or self._process is None:
            slot.become(State.IDLE)

    def take(self, slot: Slot) -> None:
        """Give an invocation to the process, as soon as there is one."""
        self._restarted_idle = False
        if self._process is None:
            self._launch(Phase.INVOKE)
        elif self._process.ready:
            self._deliver(self._process, slot)

    def began(self) -> None:
        """Note that the process takes what it is given."""
        self._served = True
        self._look()

    def waited_too_long(self, slot: Slot) -> None:
        """Refuse what has not begun, unless the process may have it without having said so."""
        invocation, process = slot.invocation, self._process
        if invocation is None or process is None:
            return
        if not (process.ready and slot.delivered) or process.withdraw(invocation):
            slot.refuse(Error.DEADLINE_PASSED, "the deadline passed before the start")
            self._look()

    def overran(self, slot: Slot) -> None:
        """Answer that the time is over; others that run go on."""
        invocation = slot.invocation
        if invocation is None:
            return
        if self._process is not None:
            self._process.settle(rests=False)
            self._process.withdraw(invocation)
        self._overrun[invocation.request_id] = invocation
        problem = failure.timed_out(invocation.request_id, self._function.timeout)
        slot.fail(problem, self._state_after, used=self._used)
        self._go_on()

    def left(self, invocation: Invocation | None) -> None:
        """Forget an invocation whose slot has ended, and end with the last of them."""
        if not self._slots.living:
            self._wind_down()
        elif invocation is not None and self._process is not None:
            self._process.withdraw(invocation)
            if invocation.began is not None:
                self._overrun[invocation.request_id] = invocation
            self._look()

    # What the runtime process tells.

    def on_line(self, line: str) -> None:
        """Log a line of the function's, as of the call that it names, or of the only one."""
        invocation = self._slots.find_owner(line, self._overrun.values())
        if invocation is not None and invocation.began is None and invocation.request_id in line:
            invocation.begin()  # the line was read before the word that it was taken
        self._slots.log_of(invocation).line(invocation, line)

    def on_extension_line(self, line: str) -> None:
        """Log a line of an extension's."""
        self._slots.log_of().extension_line(None, line)

    def on_ready(self) -> None:
        """Go from initialising to serving."""
        process = self._process
        if process is None or process.ready or not self._slots.living:
            return
        process.ready = True
        self._init_timer.clear()
        process.settle()
        log = self._slots.log_of()
        log.extensions(self._api.extensions.descriptions())
        log.init_ended(self._since(self._launched), self._phase.lambdas)
        self.settled.set()
        if self._phase is Phase.FIRST:
            self._init_duration = self._since(self._launched)
        for slot in self._slots.living:
            if slot.invocation is None:
                slot.become(State.IDLE)
            else:
                self._deliver(process, slot)

    def on_init_error(self, error_type: str, body: bytes) -> None:
        """Take the runtime's own word that it cannot initialise."""
        self._fail_init(lambda _request_id: failure.by_function(error_type, body))

    def on_result(self, request_id: str, result: Result) -> None:
        """Take the runtime's answer, if it answers what runs; one that is too late it is told."""
        process = self._process
        if process is None:
            return
        process.settle(result, rests=len(self._slots.running) <= 1)
        slot = self._slots.find_running(request_id)
        if slot is not None:
            init, self._init_duration = self._init_duration, None
            slot.finish(result, self._state_after, used=self._used, init_duration=init)
        else:
            self._overrun.pop(request_id, None)
        self._go_on()

    def on_exit(self, code: int) -> None:
        """Decide what the end of the process means."""
        self._slots.log_of().exit(None, code)
        self._lose(lambda request_id: failure.exited(request_id, code))

    def on_broken(self, describe: _Describe) -> None:
        """End what cannot go on; `describe` says why, of a request."""
        self._lose(describe)

    def on_gone(self) -> None:
        """Kill what is left at the end."""
        if not self.gone.is_set():
            self._kill()
            self._api.shut()
            self.gone.set()

    # The life of a process.

    def _launch(self, phase: Phase) -> None:
        self._phase, self._served = phase, False
        self._launched = self._loop.time()
        for slot in self._slots.living:
            slot.delivered = False
            if slot.invocation is None:
                slot.become(State.STARTING)
        self._slots.log_of().init_began(phase.lambdas)
        self._init_timer.set(self._launched + self._init_seconds)
        try:
            self._process = RuntimeProcess(self.setting, self._api, self._spawner, self)
        except NotStartableError as error:
            self._fail_init(partial(failure.not_startable, error=error))

    def _kill(self) -> None:
        process, self._process = self._process, None
        self._init_timer.clear()
        self._stuck_timer.clear()
        self._overrun.clear()
        if process is not None:
            process.kill(self._others(self))

    def _wind_down(self) -> None:
        """Let extensions end in the time that they have, then kill everything."""
        if self._winds_down:
            return
        self._winds_down = True
        self.settled.set()
        self._stuck_timer.clear()
        self._init_timer.clear()
        seconds = 0.0 if self._process is None else self._process.shut_down()
        if seconds:
            self._loop.call_later(seconds, self.on_gone)
        else:
            self.on_gone()

    def _init_timed_out(self) -> None:
        self._fail_init(lambda request_id: failure.timed_out(request_id, self._init_seconds))

    def _fail_init(self, describe: _Describe) -> None:
        """Report it; then try once more for the invocations that wait, or answer them, or rest."""
        if not self._slots.living:
            return
        first = self._phase is Phase.FIRST
        if self._process is not None:
            self._process.settle()
        log, took = self._slots.log_of(), self._since(self._launched)
        log.init_failed(None, took, self._phase.lambdas, describe(""))
        self.settled.set()
        self._kill()
        if first and self._slots.waiting:
            self._launch(Phase.INVOKE)
            return
        for slot in self._slots.living:
            if slot.waiting is None:
                slot.become(State.IDLE)
            else:
                problem = replace(describe(slot.waiting.request_id), at_init=True)
                slot.fail(problem, State.IDLE, used=0)

    def _lose(self, describe: _Describe) -> None:
        """Answer what ran in the process, which ended or broke, and replace it."""
        process = self._process
        if process is None or not process.ready:
            self._fail_init(describe)
            return
        process.settle()
        if describe("").status is Status.MEMORY:
            process.memory.exceed()
        if not self._served:  # and never would
            self._replace(describe, self._slots.busy)
        else:
            self._replace(describe, self._slots.running)

    def _replace(self, describe: _Describe, lost: list[Slot]) -> None:
        """End the process and the calls of some slots; those of the others the next one gets.

        Nothing can start beside the remains of a fork bomb: after one the environment ends.
        """
        used, idle = self._used, not self._slots.busy
        ends = self._old or tree.is_crowded()
        self._kill()
        then = State.ENDED if ends else State.STARTING
        for slot in lost:
            if slot.invocation is not None:
                slot.fail(describe(slot.invocation.request_id), then, used=used)
        if ends:
            self._end_all()
        elif not (idle and self._restarted_idle):
            self._restarted_idle = idle
            self._launch(Phase.AGAIN)

    def _grow_old(self) -> None:
        """Take nothing new; each slot ends once it is free."""
        self._old = True
        for slot in self._slots.living:
            if slot.invocation is None:
                slot.end()

    def _end_all(self) -> None:
        for slot in self._slots.living:
            slot.end()
        self._wind_down()

    # The lives of invocations.

    def _deliver(self, process: RuntimeProcess, slot: Slot) -> None:
        """Give an event to the process, unless it waited for too long, or its id runs already."""
        invocation = slot.invocation
        if invocation is None:
            return
        if 0 < invocation.start_by < time.time() * 1000:
            slot.refuse(Error.DEADLINE_PASSED, "the deadline passed before the start")
        elif not self._is_under_way(slot, invocation.request_id):
            invocation.deadline = int((time.time() + self._function.timeout) * 1000)
            slot.delivered = True
            process.deliver(invocation)
        self._look()

    def _is_under_way(self, slot: Slot, request_id: str) -> bool:
        """Whether an earlier attempt runs, whose late answer must not be taken for this one's."""
        return request_id in self._overrun or self._slots.is_delivered(request_id, but=slot)

    def _go_on(self) -> None:
        """See to what is left after an invocation's end."""
        process = self._process
        if self._old and not self._slots.busy:
            self._end_all()
        elif process is not None and process.ready:
            for slot in self._slots.living:
                if not slot.delivered:
                    self._deliver(process, slot)
            self._look()

    def _look(self) -> None:
        """Notice when an invocation waits and nothing runs that could make place for it."""
        if not (self._slots.waiting and self.initialised) or self._slots.running:
            self._stuck_timer.clear()
        elif not self._stuck_timer.is_set:
            seconds = _GRACE_SECONDS if self._overrun else float(self._function.timeout)
            self._stuck_timer.set(self._loop.time() + seconds)

    def _give_up(self) -> None:
        """Replace a process that takes nothing, and never did without a reason."""
        if self._slots.running or self._process is None:
            return
        self._process.settle()
        lost = [] if self._overrun else self._slots.busy
        seconds = self._function.timeout
        self._replace(lambda request_id: failure.timed_out(request_id, seconds), lost)

    # Small things.

    @property
    def _state_after(self) -> State:
        return State.ENDED if self._old else State.IDLE

    @property
    def _used(self) -> int:
        return 0 if self._process is None else self._process.memory.peak_megabytes

    def _since(self, moment: float) -> float:
        return (self._loop.time() - moment) * 1000
