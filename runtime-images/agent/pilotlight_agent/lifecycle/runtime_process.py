"""One life of a runtime process: started, spoken with, watched, killed with all its offspring.

How it is started and spoken with, its family knows (`runtimes`). Extensions of layers start before
it and end with it; an invocation begins when both wait for one. `environment` decides what a life's
events mean and when the next one begins.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Protocol

from pilotlight_agent.errors import NotStartableError
from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.failure import Failure
from pilotlight_agent.invocations.invocation import Invocation, Result
from pilotlight_agent.processes import isolation, log_frames, tree
from pilotlight_agent.processes.memory import MemoryWatch
from pilotlight_agent.processes.output import Output
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.processes.storage import StorageWatch
from pilotlight_agent.runtimes.extensions_api import EventType
from pilotlight_agent.runtimes.family import Setting
from pilotlight_agent.runtimes.link import Link, Listener
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from pilotlight_agent.runtimes.variables import mark_of
from pilotlight_agent.runtimes.wrapped import EXEC_WRAPPER, WrappedLink

from .extension_processes import ExtensionProcesses, extension_programs

_TURNS = 6
"""Of the loop: a connection that had just been made is read after three; twice as many are safe."""


class Phase(StrEnum):
    """On whose account a process initialises."""

    FIRST = "first"
    """Nobody's: Lambda's init phase."""
    AGAIN = "again"
    """Of the invocation that comes while it lasts, if one does: after a crash or timeout."""
    INVOKE = "invoke"
    """Of the invocation that found no initialised process."""

    @property
    def lambdas(self) -> str:
        """Lambda's name of the phase in which the process initialises."""
        return "init" if self is Phase.FIRST else "invoke"


class Supervisor(Listener, Protocol):
    """Hears of everything in a runtime process's life; of `on_ready` whenever it may be used."""

    def on_line(self, line: str) -> None:
        """Learn of a line that it printed."""

    def on_extension_line(self, line: str) -> None:
        """Learn of a line that an extension printed."""

    def on_exit(self, code: int) -> None:
        """Learn that it ended by itself; `code` is negative for a signal."""

    def on_gone(self) -> None:
        """Learn that nothing of it runs any more, after `shut_down`."""

    def on_broken(self, describe: Callable[[str], Failure]) -> None:
        """Learn that it cannot go on; `describe` says why, of a request."""


class RuntimeProcess:
    """A running runtime, from its start to `kill`; the supervisor hears nothing after that."""

    def __init__(
        self, setting: Setting, api: RuntimeApi, spawner: Spawner, supervisor: Supervisor
    ) -> None:
        self._setting = setting
        self._api = api
        self._spawner = spawner
        self._supervisor: Supervisor | None = supervisor
        self.on_init_error = supervisor.on_init_error
        self.on_result = supervisor.on_result
        framed = log_frames.VARIABLE in setting.variables
        self._output = Output(self._on_line, log_frames.EntrySplitter() if framed else None)
        self._extension_output: Output | None = None
        self._link: Link | None = None
        self._runtime_waits = False
        self._storage = StorageWatch(setting.temporary, setting.storage, self._on_excess_storage)
        self._exited = False
        self._ends = False
        self.ready = False
        """Whether it has initialised."""
        self.pid: int
        self.memory: MemoryWatch
        try:
            self._start()
        except BaseException:
            self._output.close_writer()
            self._close_outputs()
            raise

    def _start(self) -> None:
        """Start the extensions, and the runtime where there are none to wait for."""
        programs = extension_programs(self._setting)
        self._extensions = ExtensionProcesses(self._setting, self._spawner, self._on_extension_exit)
        self._api.extensions.attach(self, [program.name for program in programs])
        if programs:
            self._start_extensions(programs)
            self._watch(self._extensions.pids[0])
        else:
            self._start_runtime()

    def _start_extensions(self, programs: list[Path]) -> None:
        output = self._extension_output = Output(self._on_extension_line)
        try:
            self._extensions.start(programs, output.writer)
        finally:
            output.close_writer()

    def _start_runtime(self) -> None:
        self._link, pid = self._open_link()
        self._output.close_writer()
        isolation.yield_to_agent(pid)
        self._watch(pid)
        self._spawner.on_exit(pid, self._on_exit)

    def _open_link(self) -> tuple[Link, int]:
        setting, api, spawner = self._setting, self._api, self._spawner
        output, family = self._output, setting.family
        if not family.managed or EXEC_WRAPPER not in setting.variables:
            return family.start(setting, api, spawner, output, self)
        wrapped = WrappedLink(api, self)
        own, pid = family.start(setting, api, spawner, output, wrapped.hearer)
        if own is api:  # it is heard there already
            return own, pid
        wrapped.open(own)
        return wrapped, pid

    def _watch(self, pid: int) -> None:
        if self._link is not None and self._extensions.pids:  # an extension's, until now
            self.memory.close()
        self.pid = pid
        self.memory = MemoryWatch(pid, self._setting.memory_limit, self._on_excess_memory)
        self.memory.start()

    @property
    def has_taken(self) -> bool:
        """Whether the last delivered event may have reached the function."""
        return self._link is not None and self._link.taken

    @property
    def free(self) -> bool:
        """Whether its extensions, too, have finished with the last event."""
        return self._api.extensions.waiting

    def deliver(self, invocation: Invocation) -> None:
        """Give it an event, and its extensions word of it."""
        if self._link is None:
            return
        self.memory.start(invocation.began)
        self._storage.start(invocation.began or 0.0)
        self._link.deliver(invocation)
        if self._api.extensions.any:
            self._tell_extensions(invocation)

    def _tell_extensions(self, invocation: Invocation) -> None:
        document: dict[str, object] = {
            "deadlineMs": invocation.deadline,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.function_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id},
        }
        self._api.extensions.tell(EventType.INVOKE, document)

    def withdraw(self, invocation: Invocation) -> bool:
        """Take an event back; True where it had not got it."""
        return self._link is not None and self._link.withdraw(invocation)

    def settle(self, result: Result | None = None, *, rests: bool = True) -> None:
        """Collect what it printed and used so far: the end of an invocation or initialisation.

        `rests`: nothing else runs in it.
        """
        self._output.drain()
        if self._extension_output is not None:
            self._extension_output.drain()
        if rests:
            self.memory.stop()
        self._storage.stop()
        self.memory.settle(None if result is None else result.peak_kilobytes)

    def shut_down(self) -> float:
        """Ask it to end, if it has extensions; returns the seconds until it is to be killed."""
        seconds = self._api.extensions.shutdown_seconds
        if seconds:
            self._ends = True
            deadline = int((time.time() + seconds) * 1000)
            document = {"shutdownReason": "spindown", "deadlineMs": deadline}
            self._api.extensions.tell(EventType.SHUTDOWN, document)
            self._api.extensions.telemetry.flush()
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        return seconds

    def kill(self, others: Mapping[int, bytes]) -> None:
        """Kill it and everything it started, then hear its last words."""
        tree.kill(self.pid, mark_of(self._setting.variables), others)
        self.memory.close()
        self._storage.stop()
        self._api.extensions.close()
        self._api.extensions.telemetry.begin_anew()
        if self._link is not None:
            self._link.close()
        else:
            self._output.close_writer()
        self._close_outputs()
        self._supervisor = None

    def _close_outputs(self) -> None:
        self._output.close()
        if self._extension_output is not None:
            self._extension_output.close()

    # What its link, its extensions and the kernel tell.

    def on_ready(self) -> None:
        """Learn that the runtime has initialised."""
        self._runtime_waits = True
        self._api.extensions.close_registration()
        self.on_extension()

    def on_extension(self) -> None:
        """Learn that an extension went on."""
        if self._link is None and self._api.extensions.registered:
            try:
                self._start_runtime()
            except NotStartableError as error:
                self._tell_broken(partial(failure.not_startable, error=error))
        elif self._runtime_waits and self.free and self._supervisor is not None:
            self._supervisor.on_ready()

    def on_extension_error(self, error_type: str, name: str) -> None:
        """Learn that an extension gave up."""
        reason = f"extension {name} reported it"
        self._tell_broken(partial(failure.of_extension, error_type, reason))

    def _on_extension_exit(self, name: str, code: int) -> None:
        if not self._tell_gone():
            reason = f"extension {name} ended: {failure.exit_reason(code)}"
            self._tell_broken(partial(failure.of_extension, "Extension.Crash", reason))

    def _on_line(self, line: str) -> None:
        if self._supervisor is not None:
            self._supervisor.on_line(line)

    def _on_extension_line(self, line: str) -> None:
        if self._supervisor is not None:
            self._supervisor.on_extension_line(line)

    def _on_exit(self, code: int, turns: int = _TURNS) -> None:
        """Hear what it had written, then tell: the kernel may know of the end before the loop does.

        It knows once it has turned a few times.
        """
        if turns:
            asyncio.get_running_loop().call_soon(self._on_exit, code, turns - 1)
        else:
            self._tell_exit(code)

    def _tell_exit(self, code: int) -> None:
        if self._link is not None and self._link.catch_up():
            self._on_exit(code)
            return
        self._exited = True
        if not self._tell_gone() and self._supervisor is not None:
            self._supervisor.on_exit(code)

    def _tell_gone(self) -> bool:
        """Tell of the last one's end; False while nothing is to end."""
        if self._ends and self._exited and not self._extensions.pids and self._supervisor:
            self._supervisor.on_gone()
        return self._ends

    def _on_excess_storage(self) -> None:
        describe = partial(failure.out_of_storage, megabytes=self._setting.storage)
        self._tell_broken(describe)

    def _on_excess_memory(self) -> None:
        self._tell_broken(failure.out_of_memory)

    def _tell_broken(self, describe: Callable[[str], Failure]) -> None:
        if self._supervisor is not None and not self._ends:
            self._supervisor.on_broken(describe)
