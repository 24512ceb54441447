"""One life of a runtime process: started, spoken with, watched, killed with all its offspring.

What kinds of runtime there are is the table `_KINDS`. `environment` decides what a life's events
mean and when the next one begins.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pilotlight_agent import isolation, managed_python, tree
from pilotlight_agent.frames import FrameLink
from pilotlight_agent.invocation import Invocation, Result
from pilotlight_agent.link import Link, Listener
from pilotlight_agent.memory import MemoryWatch
from pilotlight_agent.output import Output
from pilotlight_agent.process import Spawner
from pilotlight_agent.runtime_api import RuntimeApi
from pilotlight_agent.variables import LOG_STREAM, Places

_BOOTSTRAP = "bootstrap"
_EXEC_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


class NotStartableError(Exception):
    """There is nothing to run; the message is Lambda's."""


class Supervisor(Listener, Protocol):
    """Hears of everything in a runtime process's life."""

    def on_line(self, line: str) -> None:
        """Learn of a line that it printed."""

    def on_exit(self, code: int) -> None:
        """Learn that it ended by itself; `code` is negative for a signal."""

    def on_excess_memory(self) -> None:
        """Learn that its process tree uses more than the function's memory."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a runtime process is started with; `memory` in MB."""

    runtime: str
    memory: int
    variables: Mapping[str, str]
    places: Places


class RuntimeProcess:
    """A running runtime, from its start to `kill`; the supervisor hears nothing after that."""

    def __init__(
        self, setting: Setting, api: RuntimeApi, spawner: Spawner, supervisor: Supervisor
    ) -> None:
        self._setting = setting
        self._supervisor: Supervisor | None = supervisor
        self._output = Output(self._on_line)
        try:
            kind = _kind(setting.runtime)
            self._link, self.pid = kind(setting, api, spawner, self._output.writer, supervisor)
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
        self.memory.start()
        self._link.deliver(invocation)

    def settle(self, result: Result | None = None) -> None:
        """Collect what it printed and used so far: the end of an invocation or initialisation."""
        self._output.drain()
        self.memory.stop()
        self.memory.settle(None if result is None else result.peak_kilobytes)

    def kill(self, others: Sequence[int]) -> None:
        """Kill it and everything it started, then hear its last words."""
        tree.kill(self.pid, self._mark(), others)
        self.memory.stop()
        self._link.close()
        self._output.close()
        self._supervisor = None

    def _mark(self) -> bytes:
        return f"{LOG_STREAM}={self._setting.variables[LOG_STREAM]}".encode()

    def _on_line(self, line: str) -> None:
        if self._supervisor is not None:
            self._supervisor.on_line(line)

    def _on_exit(self, code: int) -> None:
        self._link.catch_up()
        if self._supervisor is not None:
            self._supervisor.on_exit(code)

    def _on_excess_memory(self) -> None:
        if self._supervisor is not None:
            self._supervisor.on_excess_memory()


_Kind = Callable[[Setting, RuntimeApi, Spawner, int, Supervisor], tuple[Link, int]]


def _start_managed_python(
    setting: Setting, api: RuntimeApi, spawner: Spawner, output: int, supervisor: Supervisor
) -> tuple[Link, int]:
    """Start `pilotlight_python` on a socket pair; it is told its end's number."""
    api.close()
    link = FrameLink(supervisor)
    places = setting.places
    fd = link.runtime_socket.fileno()
    wrapper = setting.variables.get(_EXEC_WRAPPER)
    try:
        command = (*managed_python.command(places.python), str(fd), str(places.layers_root))
        argv = command if wrapper is None else (wrapper, *command)
        pid = spawner.spawn(argv, setting.variables, places.task_root, (output, fd))
    except OSError as error:
        link.close()
        raise NotStartableError(str(error)) from error
    finally:
        link.runtime_socket.close()
    return link, pid


def _start_bootstrap(
    setting: Setting, api: RuntimeApi, spawner: Spawner, output: int, supervisor: Supervisor
) -> tuple[Link, int]:
    """Start the function's own bootstrap, else a layer's; it asks the Runtime API for events."""
    places = setting.places
    candidates = [root / _BOOTSTRAP for root in (places.task_root, places.layers_root)]
    bootstrap = next((path for path in candidates if path.is_file()), None)
    if bootstrap is None:
        names = " ".join(map(str, candidates))
        raise NotStartableError(f"Couldn't find valid bootstrap(s): [{names}]")
    api.attach(supervisor)
    try:
        argv = (str(bootstrap),)
        return api, spawner.spawn(argv, setting.variables, places.task_root, (output,))
    except OSError as error:
        raise NotStartableError(f"fork/exec {bootstrap}: {error.strerror}") from error


_KINDS: tuple[tuple[str, _Kind], ...] = (
    ("python", _start_managed_python),
    ("", _start_bootstrap),
)


def _kind(runtime: str) -> _Kind:
    return next(kind for prefix, kind in _KINDS if runtime.startswith(prefix))
