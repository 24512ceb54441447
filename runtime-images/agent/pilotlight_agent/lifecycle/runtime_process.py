"""One life of a runtime process: started, spoken with, watched, killed with all its offspring.

How it is started and spoken with, its family knows (`runtimes`). `environment` decides what a
life's events mean and when the next one begins.
"""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from pilotlight_agent.invocations.invocation import Invocation, Result
from pilotlight_agent.processes import isolation, tree
from pilotlight_agent.processes.memory import MemoryWatch
from pilotlight_agent.processes.output import Output
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.runtimes.family import Setting
from pilotlight_agent.runtimes.link import Listener
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from pilotlight_agent.runtimes.variables import mark_of


class Phase(StrEnum):
    """On whose account a process initialises."""

    FIRST = "first"
    """Nobody's: Lambda's init phase."""
    AGAIN = "again"
    """Of the invocation that comes while it lasts, if one does: after a crash or timeout."""
    INVOKE = "invoke"
    """Of the invocation that found no initialised process."""


class Supervisor(Listener, Protocol):
    """Hears of everything in a runtime process's life."""

    def on_line(self, line: str) -> None:
        """Learn of a line that it printed."""

    def on_exit(self, code: int) -> None:
        """Learn that it ended by itself; `code` is negative for a signal."""

    def on_excess_memory(self) -> None:
        """Learn that its process tree uses more than the function's memory."""


class RuntimeProcess:
    """A running runtime, from its start to `kill`; the supervisor hears nothing after that."""

    def __init__(
        self, setting: Setting, api: RuntimeApi, spawner: Spawner, supervisor: Supervisor
    ) -> None:
        self._setting = setting
        self._supervisor: Supervisor | None = supervisor
        self._output = Output(self._on_line)
        try:
            self._link, self.pid = setting.family.start(
                setting, api, spawner, self._output.writer, supervisor
            )
        except BaseException:
            self._output.close_writer()
            self._output.close()
            raise
        self._output.close_writer()
        isolation.yield_to_agent(self.pid)
        self.memory = MemoryWatch(self.pid, setting.memory, self._on_excess_memory)
        self.memory.start()
        self.ready = False
        spawner.on_exit(self.pid, self._on_exit)

    @property
    def has_taken(self) -> bool:
        """Whether the last delivered event may have reached the function."""
        return self._link.taken

    def deliver(self, invocation: Invocation) -> None:
        """Give it an event."""
        self.memory.start(invocation.began)
        self._link.deliver(invocation)

    def settle(self, result: Result | None = None) -> None:
        """Collect what it printed and used so far: the end of an invocation or initialisation."""
        self._output.drain()
        self.memory.stop()
        self.memory.settle(None if result is None else result.peak_kilobytes)

    def kill(self, others: Mapping[int, bytes]) -> None:
        """Kill it and everything it started, then hear its last words."""
        tree.kill(self.pid, mark_of(self._setting.variables), others)
        self.memory.stop()
        self._link.close()
        self._output.close()
        self._supervisor = None

    def _on_line(self, line: str) -> None:
        if self._supervisor is not None:
            self._supervisor.on_line(line)

    def _on_exit(self, code: int) -> None:
        """Hear what it had written, then tell.

        The kernel may know of the end before the loop has looked at the sockets, which it has done
        once what is called soon has been called twice.
        """
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._tell_exit, code)

    def _tell_exit(self, code: int) -> None:
        if self._link.catch_up():
            self._on_exit(code)
        elif self._supervisor is not None:
            self._supervisor.on_exit(code)

    def _on_excess_memory(self) -> None:
        if self._supervisor is not None:
            self._supervisor.on_excess_memory()
