"""Starting managed Python by fork where nobody can tell the difference, else by exec.

A difference would be: a variable that the interpreter or the loader reads at its start, a wrapper
around the runtime, or a module of the function's that would stand in front of one of the standard
library that the zygote has loaded already. Such functions are started plainly. One that brings a
package which the zygote has loaded gets a process that has forgotten all of them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pilotlight_agent.errors import ForkError
from pilotlight_agent.journal import Journal
from pilotlight_agent.processes.spawner import Exit, Spawner
from pilotlight_wire.specialisation import READ_AT_START

from .variables import LOG_STREAM
from .zygote import Born, Zygote

_MOST_VARIABLES = 65_536  # characters that surely fit into a datagram
_LONGEST_LOG_STREAM = 128
_LET_GO_SECONDS = 1.0


class ZygoteSpawner:
    """A spawner that forks what is `command` plus descriptor and layers folder; the rest it execs.

    `variables` are those of a function that sets none of its own.
    """

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        plain: Spawner,
        journal: Journal,
        born: Born | None = None,
    ) -> None:
        """Fork from the zygote that was `born` already, else from one that `start` starts."""
        self._command = tuple(command)
        self._born = born
        self._start_variables = _read_at_start(variables)
        self._plain = plain
        self._zygote = Zygote(self._command, variables, spawner=plain, journal=journal)
        self._own: frozenset[str] | None = None

    @property
    def ready(self) -> bool:
        """Whether the zygote is ready or given up."""
        return self._zygote.settled

    @property
    def helpers(self) -> list[int]:
        """The zygote, and with it what it is forking at the moment."""
        return [] if self._zygote.pid is None else [self._zygote.pid]

    def start(self) -> None:
        """Start the zygote, unless it is there already."""
        if self._born is None:
            self._zygote.start()
        else:
            self._zygote.adopt(self._born)

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, fds: Sequence[int]
    ) -> int:
        """Fork if that makes no difference, else start `argv`."""
        loaded = self._zygote.loaded
        if loaded is not None and self._suits(argv, env):
            layers_root = argv[-1]
            own = self._names_of(cwd, layers_root)
            if own & loaded.standard:
                # Not at once: its end would take time from the process that begins now.
                asyncio.get_running_loop().call_later(_LET_GO_SECONDS, self._zygote.stop)
                return self._plain.spawn(argv, env, cwd, fds)
            forget = bool(own & loaded.packages)
            with suppress(ForkError):
                return self._zygote.fork(env, cwd, layers_root, fds, forget=forget)
        return self._plain.spawn(argv, env, cwd, fds)

    def on_exit(self, pid: int, callback: Exit) -> None:
        """Call back once; a forked process ends like any other, as the agent's own child."""
        self._plain.on_exit(pid, callback)

    def _suits(self, argv: Sequence[str], env: Mapping[str, str]) -> bool:
        return (
            tuple(argv[:-2]) == self._command
            and _read_at_start(env) == self._start_variables
            and len(env.get(LOG_STREAM, "")) in range(1, _LONGEST_LOG_STREAM + 1)
            and sum(map(len, (*env, *env.values()))) <= _MOST_VARIABLES
        )

    def _names_of(self, task_root: Path, layers_root: str) -> frozenset[str]:
        """Return what the code may put in front of other modules; a pod has one code for life."""
        if self._own is None:
            self._own = _top_level_names(task_root, Path(layers_root))
        return self._own


def _read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if READ_AT_START.match(name)}


def _top_level_names(task_root: Path, layers_root: Path) -> frozenset[str]:
    """Return the names that the function's code and layers may put in front of others'."""
    layers = layers_root / "python"
    folders = (task_root, layers, *layers.glob("lib/python*/site-packages"))
    return frozenset(
        path.name.partition(".")[0]
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
    )
