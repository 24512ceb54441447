"""An execution environment: one runtime process at a time, one invocation at a time.

This is where Lambda's life cycle is kept. Each event decides on the state first and does its work
with the result. The runtime is initialised once, up to ten seconds on nobody's clock; if that
fails, again inside the first invocation and on its clock. A timeout, a crash or an excess of memory
ends the process tree, answers in Lambda's words, and a new process starts under the same id. What
has lived for its lifetime ends once it is free, as Lambda replaces its own every few hours.
Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from pilotlight_agent.errors import NotStartableError
from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.failure import Failure, Status
from pilotlight_agent.invocations.invocation import Answer, Invocation, Refusal, Result
from pilotlight_agent.invocations.report import Level, PlatformLog, Report
from pilotlight_agent.journal import Journal, Source
from pilotlight_agent.processes import tree
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.processes.timer import Timer
from pilotlight_agent.runtimes.family import Setting
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from pilotlight_wire.events import EventType
from pilotlight_wire.protocol import Error, State
from pilotlight_wire.specialisation import FunctionFacts

from .runtime_process import Phase, RuntimeProcess

_INIT_SECONDS = 10.0
_TRANSITIONS = {
    State.STARTING: {State.IDLE, State.BUSY, State.ENDED},
    State.IDLE: {State.BUSY, State.STARTING, State.ENDED},
    State.BUSY: {State.IDLE, State.STARTING, State.ENDED},
    State.ENDED: set[State](),
}


class Environment:
    """Serves one revision; `invoke` answers by `Invocation.reply`, always exactly once.

    `others` gives the runtimes of the pod's other environments, and their marks: all are spared.
    """

    def __init__(  # noqa: PLR0913 -- the parts of a pod that it stands on, each once
        self,
        identity: str,
        log_stream: str,
        function: FunctionFacts,
        setting: Setting,
        *,
        api: RuntimeApi,
        spawner: Spawner,
        journal: Journal,
        others: Callable[["Environment"], dict[int, bytes]],
    ) -> None:
        self.identity = identity
        self.state = State.STARTING
        self.epoch = 0
        self.holder = ""
        self.lease = b""  # as its holder words it; empty before the first
        self.settled = asyncio.Event()
        """Set when the first init phase is over, whatever came of it."""
        self._function = function
        self.setting = setting
        self._api = api
        self._spawner = spawner
        self._journal = Source(journal, identity, log_stream)
        self._others = others
        self._words = PlatformLog(
            function.log_format, function.version, journal.stamp, function.system_log_level
        )
        self._loop = asyncio.get_running_loop()
        self._process: RuntimeProcess | None = None
        self._phase = Phase.FIRST
        self._launched = 0.0
        self._init_duration: float | None = None
        self._invocation: Invocation | None = None
        self._init_timer = Timer(self._init_timed_out)
        self._timer = Timer(self._timed_out)
        self._age = Timer(self._grow_old)
        self._old = False
        self._restarted_idle = False
        self._on_quiet: list[asyncio.Future[None]] = []

    @property
    def pid(self) -> int | None:
        """Process id of the runtime, None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def initialised(self) -> bool:
        """Whether its runtime is past the init phase; one that failed rests until it is needed."""
        return self._process is not None and self._process.ready

    def start(self) -> None:
        """Begin the init phase; call once."""
        self._tell_state()
        self._age.set(self._loop.time() + self._function.lifetime)
        self._launch(Phase.FIRST)

    def invoke(self, invocation: Invocation) -> None:
        """Run the function once; only for an environment that is starting or idle."""
        self._become(State.BUSY)
        self._invocation = invocation
        self._restarted_idle = False
        if self._process is None:
            self._start_clock(invocation)
            self._launch(Phase.INVOKE)
        elif self._process.ready:
            self._give(self._process, invocation)
        elif self._phase is Phase.AGAIN:
            self._start_clock(invocation)

    async def quiet(self) -> None:
        """Wait until no invocation runs."""
        while self._invocation is not None:
            future = self._loop.create_future()
            self._on_quiet.append(future)
            await future

    def end(self) -> None:
        """Kill everything and take no more invocations."""
        if self.state is State.ENDED:
            return
        invocation, self._invocation = self._invocation, None
        self._become(State.ENDED)
        self.settled.set()
        self._timer.clear()
        self._kill()
        self._api.shut()
        self._tell_state()
        if invocation is not None:
            began = invocation.announced
            error = Error.INVOCATION_ENDED if began else Error.ENVIRONMENT_ENDED
            invocation.reply(Refusal(error, "the environment was ended"))

    # What the runtime process tells.

    def on_line(self, line: str) -> None:
        """Log a line of the function's."""
        self._log(EventType.LOG, (line,))

    def on_ready(self) -> None:
        """Go from initialising to serving."""
        process = self._process
        if process is None or process.ready:
            return
        process.ready = True
        self._init_timer.clear()
        process.settle()
        self.settled.set()
        if self._phase is Phase.FIRST:
            self._init_duration = self._since(self._launched)
        if self._invocation is not None:
            self._deliver(process, self._invocation)
        else:
            self._become(State.IDLE)
            self._tell_state()

    def on_init_error(self, error_type: str, body: bytes) -> None:
        """Take the runtime's own word that it cannot initialise."""
        self._fail_init(failure.by_function(error_type, body))

    def on_result(self, request_id: str, result: Result) -> None:
        """Take the runtime's answer, if it answers what was asked."""
        invocation, process = self._invocation, self._process
        if invocation is None or process is None or invocation.request_id != request_id:
            return
        if not invocation.announced:
            return
        process.settle(result)
        self._finish(invocation, result, State.ENDED if self._old else State.IDLE)
        if self._old:
            self._kill()
            self._api.shut()
            self._tell_state()

    def on_exit(self, code: int) -> None:
        """Decide what the end of the process means."""
        self._journal.tell_exit(self._request_id(), code)
        invocation, process = self._invocation, self._process
        if process is None:
            return
        problem = failure.exited(self._request_id(), code)
        if not process.ready:
            self._fail_init(problem)
        elif invocation is None:
            self._restart_idle()
        elif process.has_taken:
            self._break_off(invocation, problem)
        else:
            self._kill()
            self._launch(Phase.INVOKE)

    def on_excess_memory(self) -> None:
        """End what uses more memory than the function has."""
        problem = failure.out_of_memory(self._request_id())
        process, invocation = self._process, self._invocation
        if process is not None and process.ready and invocation is not None:
            self._break_off(invocation, problem)
        else:
            self._fail_init(problem)

    # The life of a process.

    def _launch(self, phase: Phase) -> None:
        self._phase = phase
        self._launched = self._loop.time()
        if phase is not Phase.INVOKE:
            self._init_timer.set(self._launched + _INIT_SECONDS)
        try:
            self._process = RuntimeProcess(self.setting, self._api, self._spawner, self)
        except NotStartableError as error:
            self._fail_init(failure.not_startable(self._request_id(), str(error)))

    def _kill(self) -> None:
        process, self._process = self._process, None
        self._init_timer.clear()
        if process is not None:
            process.kill(self._others(self))

    def _restart_idle(self) -> None:
        """Replace a process that ended between invocations, once until the next one comes."""
        self._kill()
        if self._restarted_idle:
            return
        self._restarted_idle = True
        self._become(State.STARTING)
        self._tell_state()
        self._launch(Phase.AGAIN)

    def _grow_old(self) -> None:
        self._old = True
        if self._invocation is None:
            self.end()

    def _init_timed_out(self) -> None:
        self._fail_init(Failure(Status.TIMEOUT, "Sandbox.Timedout", b""))

    def _fail_init(self, problem: Failure) -> None:
        """Report it; then try once more for the invocation that waits, or answer it, or rest."""
        invocation, phase = self._invocation, self._phase
        if self._process is not None:
            self._process.settle()
        self._report_init(problem)
        self.settled.set()
        if invocation is not None and phase is not Phase.FIRST:
            self._break_off(invocation, problem, then=State.IDLE)
            return
        self._kill()
        if invocation is not None:
            self._start_clock(invocation)
            self._launch(Phase.INVOKE)
        elif self.state is State.STARTING:
            self._become(State.IDLE)
            self._tell_state()

    def _report_init(self, problem: Failure) -> None:
        phase = "init" if self._phase is Phase.FIRST else "invoke"
        spent = self._since(self._launched)
        if problem.status is not Status.TIMEOUT:
            self._log_platform(Level.WARN, self._words.failure(self._request_id(), problem))
        self._log_platform(Level.WARN, [self._words.init_failure(spent, phase, problem)])

    # The life of an invocation.

    def _start_clock(self, invocation: Invocation) -> None:
        """Begin the invocation's time: from here on its timeout and its bill count."""
        if invocation.began is None:
            timeout = self._function.timeout
            invocation.began = self._loop.time()
            invocation.deadline = int((time.time() + timeout) * 1000)
            self._init_timer.clear()
            self._timer.set(invocation.began + timeout)

    def _deliver(self, process: RuntimeProcess, invocation: Invocation) -> None:
        """Give an event to a process that it had to wait for, unless it waited for too long."""
        if invocation.began is None and 0 < invocation.start_by < time.time() * 1000:
            self._refuse(invocation)
        else:
            self._give(process, invocation)

    def _give(self, process: RuntimeProcess, invocation: Invocation) -> None:
        self._start_clock(invocation)
        process.deliver(invocation)
        self._announce(invocation)  # while the function runs already

    def _refuse(self, invocation: Invocation) -> None:
        self._invocation = None
        self._become(State.IDLE)
        self._wake_quiet()
        invocation.reply(Refusal(Error.DEADLINE_PASSED, "the deadline passed before the start"))

    def _announce(self, invocation: Invocation) -> None:
        if not invocation.announced:
            invocation.announced = True
            self._log_platform(Level.INFO, [self._words.start(invocation.request_id)])

    def _timed_out(self) -> None:
        invocation, process = self._invocation, self._process
        if invocation is None:
            return
        problem = failure.timed_out(invocation.request_id, self._function.timeout)
        if process is not None and not process.ready:
            self._report_init(problem)
        self._break_off(invocation, problem)

    def _break_off(
        self, invocation: Invocation, problem: Failure, then: State = State.STARTING
    ) -> None:
        """Kill everything and answer with the failure; a new process starts unless init failed.

        Nothing can start beside the remains of a fork bomb: after one the environment ends.
        """
        process, starts = self._process, then is State.STARTING
        if starts and (self._old or tree.is_crowded()):
            then = State.ENDED
        if process is not None:
            process.settle()
            if problem.status is Status.MEMORY:
                process.memory.exceed()
        used = 0 if process is None else process.memory.peak_megabytes
        self._kill()
        self._announce(invocation)
        if starts:
            self._log_platform(Level.WARN, self._words.failure(invocation.request_id, problem))
        result = Result(problem.body, "application/json", problem)
        self._finish(invocation, result, then, used)
        if starts:
            self._tell_state()
        if then is State.STARTING:
            self._launch(Phase.AGAIN)

    def _finish(
        self, invocation: Invocation, result: Result, then: State, used: int | None = None
    ) -> None:
        """Close the account and answer; what is only written down comes after the answer."""
        self._timer.clear()
        if used is None:
            used = 0 if self._process is None else self._process.memory.peak_megabytes
        report = self._account(invocation, result.failure, used)
        lines = self._words.finish(report)
        invocation.log(lines)
        self._invocation = None
        self._become(then)
        invocation.reply(Answer(result, report, invocation.encoded_tail(), then))
        if self._words.writes(report.level):
            self._journal.tell_lines(EventType.PLATFORM, invocation.request_id, lines)
        if self._on_quiet:
            self._wake_quiet()

    def _account(self, invocation: Invocation, problem: Failure | None, used: int) -> Report:
        init_duration, self._init_duration = self._init_duration, None
        began = self._loop.time() if invocation.began is None else invocation.began
        return Report(
            request_id=invocation.request_id,
            duration=self._since(began),
            memory_size=self._function.memory,
            memory_used=used,
            init_duration=init_duration,
            status=Status.SUCCESS if problem is None else problem.status,
            error_type="" if problem is None else problem.reported_type,
        )

    # Small things.

    def _become(self, state: State) -> None:
        if state not in _TRANSITIONS[self.state]:
            raise RuntimeError(f"an environment that is {self.state} cannot become {state}")
        self.state = state

    def _tell_state(self) -> None:
        self._journal.tell_state(self.state)

    def _log(self, kind: EventType, lines: Sequence[str], *, written: bool = True) -> None:
        if self._invocation is not None:
            self._invocation.log(lines)
        if written:
            self._journal.tell_lines(kind, self._request_id(), lines)

    def _log_platform(self, level: Level, lines: Sequence[str]) -> None:
        """Log lines of ours; those below the function's level are in the log tail only."""
        self._log(EventType.PLATFORM, lines, written=self._words.writes(level))

    def _request_id(self) -> str:
        return "" if self._invocation is None else self._invocation.request_id

    def _since(self, moment: float) -> float:
        """Return the milliseconds since a moment of the loop's clock."""
        return (self._loop.time() - moment) * 1000

    def _wake_quiet(self) -> None:
        waiting, self._on_quiet = self._on_quiet, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
