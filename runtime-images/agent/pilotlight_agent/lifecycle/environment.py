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
from collections.abc import Callable
from dataclasses import replace

from pilotlight_agent.errors import NotStartableError
from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.failure import Failure, Status
from pilotlight_agent.invocations.invocation import Answer, Invocation, Refusal, Result
from pilotlight_agent.invocations.report import Report, reported
from pilotlight_agent.processes import tree
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.processes.timer import Timer
from pilotlight_agent.runtimes.family import Setting
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from pilotlight_wire.protocol import Error, State
from pilotlight_wire.specialisation import FunctionFacts

from .environment_log import EnvironmentLog
from .leased import changed
from .runtime_process import Phase, RuntimeProcess

_INIT_SECONDS = 10.0


class Environment:
    """Serves one revision; `invoke` answers by `Invocation.reply`, always exactly once.

    `others` gives the runtimes of the pod's other environments, and their marks: all are spared.
    """

    def __init__(  # noqa: PLR0913 -- the parts of a pod that it stands on, each once
        self,
        identity: str,
        function: FunctionFacts,
        setting: Setting,
        *,
        api: RuntimeApi,
        spawner: Spawner,
        log: EnvironmentLog,
        others: Callable[["Environment"], dict[int, bytes]],
    ) -> None:
        self.identity = identity
        self.born = 0  # number of the journal's last event before it
        self.state = State.STARTING
        self.epoch = 0
        self.holder = ""
        self.lease = b""  # as its holder words it; empty before the first
        self.settled = asyncio.Event()
        """Set when the first init phase is over, whatever came of it."""
        self.gone = asyncio.Event()
        """Set when nothing of it runs any more."""
        self._function = function
        self.setting = setting
        self._api = api
        self._spawner = spawner
        self._invocation: Invocation | None = None
        self._log = log
        self._others = others
        self._loop = asyncio.get_running_loop()
        self._process: RuntimeProcess | None = None
        self._phase = Phase.FIRST
        self._launched = 0.0
        self._init_duration: float | None = None
        self._init_timer = Timer(self._init_timed_out)
        self._timer = Timer(self._timed_out)
        self._age = Timer(self._grow_old)
        self._old = False
        self._restarted_idle = False
        self._quiet = asyncio.Event()
        self._quiet.set()

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
        self._log.state(self.state)
        self._age.set(self._loop.time() + self._function.lifetime)
        self._launch(Phase.FIRST)

    def invoke(self, invocation: Invocation) -> None:
        """Run the function once; only for an environment that is starting or idle."""
        self._become(State.BUSY)
        self._invocation = invocation
        self._quiet.clear()
        self._restarted_idle = False
        if self._process is None:
            self._start_clock(invocation)
            self._launch(Phase.INVOKE)
        elif self._process.ready:
            if self._process.free:
                self._give(self._process, invocation)
        elif self._phase is Phase.AGAIN:
            self._start_clock(invocation)

    async def quiet(self) -> None:
        """Wait until no invocation runs."""
        await self._quiet.wait()

    def end(self) -> None:
        """End everything and take no more invocations."""
        if self.state is State.ENDED:
            return
        invocation, self._invocation = self._invocation, None
        self._become(State.ENDED)
        self._quiet.set()
        self.settled.set()
        self._timer.clear()
        self._wind_down()
        if invocation is not None:
            began = invocation.announced
            error = Error.INVOCATION_ENDED if began else Error.ENVIRONMENT_ENDED
            invocation.reply(Refusal(error, "the environment was ended"))

    # What the runtime process tells.

    def on_line(self, line: str) -> None:
        """Log a line of the function's."""
        self._log.line(self._invocation, line)

    def on_extension_line(self, line: str) -> None:
        """Log a line of an extension's."""
        self._log.extension_line(self._invocation, line)

    def on_ready(self) -> None:
        """Go from initialising to serving, or on from where extensions held it up."""
        process = self._process
        if process is None or self.state is State.ENDED:
            return
        if process.ready:
            self._extensions_are_done(process)
            return
        process.ready = True
        self._log.extensions(self._api.extensions.descriptions())
        self._init_timer.clear()
        process.settle()
        self._log.init_ended(self._since(self._launched), self._phase.lambdas)
        self.settled.set()
        if self._phase is Phase.FIRST:
            self._init_duration = self._since(self._launched)
        if self._invocation is not None:
            self._deliver(process, self._invocation)
        else:
            self._become(State.IDLE)
            self._log.state(self.state)

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
            self._wind_down()
        elif not process.free and invocation.began is not None:
            self._timer.set(invocation.began + self._function.timeout)

    def on_exit(self, code: int) -> None:
        """Decide what the end of the process means."""
        self._log.exit(self._invocation, code)
        invocation, process = self._invocation, self._process
        if process is None:
            return
        problem = failure.exited(self._request_id, code)
        if not process.ready:
            self._fail_init(problem)
        elif invocation is not None and process.has_taken and invocation.began is not None:
            self._break_off(invocation, problem)
        else:
            self._start_anew(invocation)

    def on_broken(self, describe: Callable[[str], Failure]) -> None:
        """End what cannot go on; `describe` says why, of a request."""
        process, invocation = self._process, self._invocation
        if process is None or not process.ready:
            self._fail_init(describe(self._request_id))
        elif invocation is not None and invocation.began is not None:
            self._break_off(invocation, describe(invocation.request_id))
        else:
            self._start_anew(invocation)

    def _extensions_are_done(self, process: RuntimeProcess) -> None:
        """Go on with the invocation that waited for them."""
        if self._invocation is None or self._invocation.began is None:
            self._timer.clear()
        if self._invocation is not None and self._invocation.began is None:
            self._deliver(process, self._invocation)

    # The life of a process.

    def _launch(self, phase: Phase) -> None:
        self._phase = phase
        self._launched = self._loop.time()
        self._log.init_began(self._phase.lambdas)
        if phase is not Phase.INVOKE:
            self._init_timer.set(self._launched + _INIT_SECONDS)
        try:
            self._process = RuntimeProcess(self.setting, self._api, self._spawner, self)
        except NotStartableError as error:
            self._fail_init(failure.not_startable(self._request_id, error))

    def _wind_down(self) -> None:
        """Let extensions end in the time that they have, then kill everything."""
        seconds = 0.0 if self._process is None else self._process.shut_down()
        self._log.state(self.state)
        if seconds:
            self._loop.call_later(seconds, self.on_gone)
        else:
            self.on_gone()

    def on_gone(self) -> None:
        """Kill what is left at the end."""
        if not self.gone.is_set():
            self._kill()
            self._api.shut()
            self.gone.set()

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
        self._log.state(self.state)
        self._launch(Phase.AGAIN)

    def _grow_old(self) -> None:
        self._old = True
        if self._invocation is None:
            self.end()

    def _init_timed_out(self) -> None:
        self._fail_init(Failure(Status.TIMEOUT, "Sandbox.Timedout", b""))

    def _fail_init(self, problem: Failure) -> None:
        """Report it; then try once more for the invocation that waits, or answer it, or rest."""
        if self.state is State.ENDED:
            return
        invocation, phase = self._invocation, self._phase
        if self._process is not None:
            self._process.settle()
        self._report_init(problem)
        self.settled.set()
        if invocation is not None and phase is not Phase.FIRST:
            self._break_off(invocation, replace(problem, at_init=True), then=State.IDLE)
            return
        self._kill()
        if invocation is not None:
            self._start_clock(invocation)
            self._launch(Phase.INVOKE)
        elif self.state is State.STARTING:
            self._become(State.IDLE)
            self._log.state(self.state)

    def _report_init(self, problem: Failure) -> None:
        took = self._since(self._launched)
        self._log.init_failed(self._invocation, took, self._phase.lambdas, problem)

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
        self._quiet.set()
        invocation.reply(Refusal(Error.DEADLINE_PASSED, "the deadline passed before the start"))

    def _announce(self, invocation: Invocation) -> None:
        if not invocation.announced:
            invocation.announced = True
            self._log.started(invocation)

    def _timed_out(self) -> None:
        invocation, process = self._invocation, self._process
        if invocation is None or invocation.began is None:
            self._start_anew(invocation)
            return
        problem = failure.timed_out(invocation.request_id, self._function.timeout)
        if process is not None and not process.ready:
            self._report_init(problem)
        self._break_off(invocation, problem)

    def _start_anew(self, invocation: Invocation | None) -> None:
        """Replace a process that ended or broke before the invocation began, if there is one."""
        if invocation is None:
            self._restart_idle()
        else:
            self._kill()
            self._start_clock(invocation)
            self._launch(Phase.INVOKE)

    def _break_off(
        self, invocation: Invocation, problem: Failure, then: State = State.STARTING
    ) -> None:
        """Kill everything and answer with the failure; a new process starts unless init failed.

        Nothing can start beside the remains of a fork bomb or in a full /tmp: it ends after either.
        """
        process, starts = self._process, then is State.STARTING
        if starts and (self._old or problem.status is Status.STORAGE or tree.is_crowded()):
            then = State.ENDED
        if process is not None:
            process.settle()
            if problem.status is Status.MEMORY:
                process.memory.exceed()
        used = 0 if process is None else process.memory.peak_megabytes
        self._kill()
        self._announce(invocation)
        if starts:
            self._log.failed(self._invocation, problem)
        result = Result(problem.body, "application/json", problem)
        self._finish(invocation, result, then, used)
        if then is State.ENDED:
            self._wind_down()
        elif starts:
            self._log.state(self.state)
            self._launch(Phase.AGAIN)

    def _finish(
        self, invocation: Invocation, result: Result, then: State, used: int | None = None
    ) -> None:
        """Close the account and answer; what is only written down comes after the answer."""
        self._timer.clear()
        if used is None:
            used = 0 if self._process is None else self._process.memory.peak_megabytes
        init, self._init_duration = self._init_duration, None
        duration = 0.0 if invocation.began is None else self._since(invocation.began)
        report = Report(
            invocation.request_id, duration, self._function.memory, used, init,
            *reported(result.failure),
        )  # fmt: skip
        lines = self._log.word(invocation, report)
        self._invocation = None
        self._become(then)
        invocation.reply(Answer(result, report, invocation.encoded_tail(), then))
        self._log.finished(invocation, report, lines, len(result.body))
        self._quiet.set()

    def _become(self, state: State) -> None:
        self.state = changed(self.state, state)

    @property
    def _request_id(self) -> str:
        return "" if self._invocation is None else self._invocation.request_id

    def _since(self, moment: float) -> float:
        """Return the milliseconds since a moment of the loop's clock."""
        return (self._loop.time() - moment) * 1000
