"""Starting managed Python by fork where nobody can tell the difference, else by exec.

A difference would be: a variable that the interpreter or the loader reads at its start, a wrapper
around the runtime, or a module of the function's that would stand in front of one that a zygote
has loaded already. Such functions are started plainly.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pilotlight_agent.journal import Journal
from pilotlight_agent.process import Exit, Spawner
from pilotlight_agent.variables import LOG_STREAM
from pilotlight_agent.zygote import ForkError, Zygote

_READ_AT_START = re.compile("PYTHON|LD_|LC_|LANG|MALLOC_|GLIBC_|OPENSSL_")
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
    ) -> None:
        self._command = tuple(command)
        self._start_variables = _read_at_start(variables)
        self._plain = plain
        stdlib = Zygote("stdlib", self._command, variables, spawner=plain, journal=journal)
        profile = Zygote(
            "profile", self._command, variables, spawner=plain, journal=journal, parent=stdlib
        )
        stdlib.on_settled = profile.start
        self._smaller = stdlib
        self._zygotes = [profile, stdlib]  # the better one first
        self._chosen = False

    @property
    def ready(self) -> bool:
        """Whether all zygotes are ready or given up."""
        return all(zygote.settled for zygote in self._zygotes)

    @property
    def helpers(self) -> list[int]:
        """The zygotes, and with them what they are forking at the moment."""
        return [zygote.pid for zygote in self._zygotes if zygote.pid is not None]

    def start(self) -> None:
        """Start the zygotes, the larger one as a fork of the smaller."""
        self._smaller.start()

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, fds: Sequence[int]
    ) -> int:
        """Fork if that makes no difference, else start `argv`."""
        if self._suits(argv, env):
            layers_root = argv[-1]
            for zygote in self._choose(cwd, layers_root):
                with suppress(ForkError):
                    return zygote.fork(env, cwd, layers_root, fds)
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

    def _choose(self, task_root: Path, layers_root: str) -> list[Zygote]:
        """Give the zygote that serves this pod's code, once it is there; let the others go.

        A pod has one code in its life, so this is decided once.
        """
        if not self._chosen and all(zygote.settled for zygote in self._zygotes):
            self._chosen = True
            own = _top_level_names(task_root, Path(layers_root))
            suiting = (z for z in self._zygotes if z.names is not None and not z.names & own)
            chosen = next(suiting, None)
            for zygote in self._zygotes:
                if zygote is not chosen:
                    # Not at once: its end would take time from the environment that begins now.
                    asyncio.get_running_loop().call_later(_LET_GO_SECONDS, zygote.stop)
            self._zygotes = [] if chosen is None else [chosen]
        return self._zygotes if self._chosen else []


def _read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if _READ_AT_START.match(name)}


def _top_level_names(task_root: Path, layers_root: Path) -> frozenset[str]:
    """Give the names that the function's code and layers may put in front of others'."""
    layers = layers_root / "python"
    folders = (task_root, layers, *layers.glob("lib/python*/site-packages"))
    return frozenset(
        path.name.partition(".")[0]
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
    )
