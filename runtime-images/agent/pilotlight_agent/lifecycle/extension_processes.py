"""External extensions: the programs of `/opt/extensions`, started before the runtime.

They live as long as the runtime process beside which they were started, print to the same log and
are killed with it. AWS Lambda Developer Guide, "Lambda execution environment lifecycle".
"""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pilotlight_agent.errors import ExtensionNotStartableError
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.runtimes.family import Setting

_FOLDER = "extensions"
_HIDDEN = ("AWS_EXECUTION_ENV", "_HANDLER", "LAMBDA_TASK_ROOT")
"""Variables that are the runtime's alone."""


def extension_programs(setting: Setting) -> list[Path]:
    """Return the programs of the function's layers that are extensions, in their order."""
    folder = setting.places.layers_root / _FOLDER
    if not (setting.has_extensions and folder.is_dir()):
        return []
    return sorted(path for path in folder.iterdir() if path.is_file())


def _nothing(_name: str, _code: int) -> None:
    """Hear of none."""


class ExtensionProcesses:
    """The running programs; `on_exit` hears of one that ends, with its name and exit code."""

    def __init__(
        self,
        setting: Setting,
        spawner: Spawner,
        on_exit: Callable[[str, int], None],
    ) -> None:
        self._setting = setting
        self._spawner = spawner
        self._on_exit = on_exit
        self._running: dict[str, int] = {}

    @property
    def pids(self) -> list[int]:
        """Process ids of those that run."""
        return list(self._running.values())

    def start(self, programs: list[Path], output: int) -> None:
        """Start them, all or none; `output` is where they print.

        Raises ExtensionNotStartableError.
        """
        variables = {
            name: value for name, value in self._setting.variables.items() if name not in _HIDDEN
        }
        folder = self._setting.places.task_root
        folder = folder if folder.is_dir() else Path("/")  # which a function's image need not have
        for program in programs:
            try:
                pid = self._spawner.spawn((str(program),), variables, folder, (output,))
            except OSError as error:
                self.kill()
                raise ExtensionNotStartableError(
                    f"fork/exec {program}: {error.strerror}"
                ) from error
            self._running[program.name] = pid
            self._spawner.on_exit(pid, partial(self._ended, program.name))

    def kill(self) -> None:
        """Kill those that run, which nobody is to hear of any more."""
        self._on_exit = _nothing
        for pid in self._running.values():
            os.kill(pid, signal.SIGKILL)  # ours until it is reaped

    def _ended(self, name: str, code: int) -> None:
        self._running.pop(name, None)
        self._on_exit(name, code)
