"""Processes that are started before there is a function: of languages whose start is long.

One that waits has read its own options and no more. What it is to run with comes by its standard
input, once: the folder of the code, then options and variables as NAME=VALUE, with a NUL between.
Then that is at its end, as it always is for functions. A function that the options or the variables
of the start do not suit is started plainly, and nobody can tell the difference.
"""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from re import Pattern
from typing import NamedTuple

from pilotlight_agent.processes.spawner import Exit, Spawner, leave_to_reaper

READY = b"waiting\n"
"""What it prints once it waits."""
_MOST_READ = 4_096
_LARGEST_DOCUMENT = 60_000
"""Bytes that a pipe takes at once."""
_LET_GO_SECONDS = 1.0
_PREPARING_SECONDS = 20.0


class Expected(NamedTuple):
    """What a pod that waits knows of the function that will come."""

    runtime: str
    memory: int
    """MB that most have, 0 where nobody knows: then nothing is prepared."""


class Recipe(NamedTuple):
    """How a process is started that is to wait."""

    command: tuple[str, ...]
    """The same as that of a plain start, but for what each adds."""
    waits: tuple[str, ...]
    """What is added where it is to wait, in front of the channel's descriptor."""
    variables: Mapping[str, str]
    read_at_start: Pattern[str]
    """Names of variables that it reads before it waits."""
    has_channel: bool
    """Whether it is spoken with over a socket pair."""
    room: Sequence[int] = ()
    """Bytes of the variables that it wants beside, to write a function's in their place."""
    folder: Path = Path("/")
    """Where it waits."""


class Prepared(NamedTuple):
    """A process that has its function by now."""

    pid: int
    output: int
    """The descriptor to read what it prints."""
    channel: socket.socket | None
    """The agent's end, where there is one."""


class PreparedSpawner:
    """Starts one process ahead, and all others by `plain`."""

    def __init__(self, recipe: Recipe, plain: Spawner) -> None:
        self._recipe = recipe
        self._plain = plain
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: Prepared | None = None
        """None before it is started, and after it is taken or gone."""
        self._said = b""
        self.ready = False
        """Whether it waits, or never will."""

    @property
    def helpers(self) -> list[int]:
        """The process that waits."""
        return [] if self._waiting is None else [self._waiting.pid]

    def start(self) -> None:
        """Start the process that is to wait."""
        loop = asyncio.get_running_loop()
        try:
            self._process, self._waiting = _start(self._recipe)
        except OSError:  # it will be told of the function that cannot be started either
            self.ready = True
            return
        self._plain.on_exit(self._waiting.pid, self._on_exit)
        loop.add_reader(self._waiting.output, self._hear)
        loop.call_later(_PREPARING_SECONDS, self._give_up)

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, fds: Sequence[int]
    ) -> int:
        """Start `argv` plainly."""
        return self._plain.spawn(argv, env, cwd, fds)

    def on_exit(self, pid: int, callback: Exit) -> None:
        """Call back once; a prepared process ends like any other, as the agent's own child."""
        self._plain.on_exit(pid, callback)

    def take(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        folder: Path,
        options: Sequence[str] = (),
    ) -> Prepared | None:
        """Give the process that waits its function, if it can be `command`; None if it cannot.

        `options` are those that it can take late.
        """
        waiting, process = self._waiting, self._process
        if waiting is None or process is None or process.stdin is None or not self.ready:
            return None
        entries = (*options, *map("=".join, variables.items()))
        document = "\0".join((str(folder), *entries)).encode()
        if not self._suits(command, variables) or len(document) > _LARGEST_DOCUMENT:
            # Not at once: its end would take time from the process that begins now.
            asyncio.get_running_loop().call_later(_LET_GO_SECONDS, self._let_go)
            return None
        self._waiting = None
        try:
            os.write(process.stdin.fileno(), document)
        except OSError:  # it is about to be reaped
            _close(waiting)
            return None
        finally:
            process.stdin.close()
        return waiting

    def _suits(self, command: Sequence[str], variables: Mapping[str, str]) -> bool:
        recipe = self._recipe
        same = self._read_at_start(variables) == self._read_at_start(recipe.variables)
        return tuple(command) == recipe.command and same and _fit(variables, recipe.room)

    def _read_at_start(self, variables: Mapping[str, str]) -> dict[str, str]:
        pattern = self._recipe.read_at_start
        return {name: value for name, value in variables.items() if pattern.match(name)}

    def _hear(self) -> None:
        """Read what it prints until it waits; from then on nothing comes until it is taken."""
        waiting = self._waiting
        if waiting is None:
            return
        piece = os.read(waiting.output, _MOST_READ)
        self._said += piece
        if self._said.endswith(READY) or not piece:
            asyncio.get_running_loop().remove_reader(waiting.output)
            self.ready = True

    def _on_exit(self, _code: int) -> None:
        """Forget it: the next function is started plainly."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            _close(waiting)
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
        self.ready = True

    def _give_up(self) -> None:
        if not self.ready:
            self._let_go()

    def _let_go(self) -> None:
        if self._waiting is not None:
            with suppress(ProcessLookupError):
                os.kill(self._waiting.pid, signal.SIGKILL)


def _fit(variables: Mapping[str, str], room: Sequence[int]) -> bool:
    """Whether variables have their places in a room, where one is wanted: longest in longest."""
    if not room:
        return True
    sizes = sorted((len("=".join(each).encode()) for each in variables.items()), reverse=True)
    places = zip(sizes, sorted(room, reverse=True), strict=False)
    return len(sizes) <= len(room) and all(size <= place for size, place in places)


def _start(recipe: Recipe) -> tuple[subprocess.Popen[bytes], Prepared]:
    """Start a process that waits; raises OSError."""
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    channel = (str(theirs.fileno()),) if recipe.has_channel else ()
    try:
        process = subprocess.Popen(  # noqa: S603 -- running functions is what the agent is for
            (*recipe.command, *recipe.waits, *channel),
            env={**recipe.variables, **_placeholders(recipe.room)},
            cwd=recipe.folder,
            stdin=subprocess.PIPE,
            stdout=writer,
            stderr=writer,
            pass_fds=(theirs.fileno(),) if recipe.has_channel else (),
            start_new_session=True,
        )
    except OSError:
        ours.close()
        os.close(reader)
        raise
    finally:
        theirs.close()
        os.close(writer)
    leave_to_reaper(process)
    if not recipe.has_channel:
        ours.close()
    return process, Prepared(process.pid, reader, ours if recipe.has_channel else None)


def _placeholders(room: Sequence[int]) -> dict[str, str]:
    return {f"_{number}": "-" * size for number, size in enumerate(room)}


def _close(waiting: Prepared) -> None:
    asyncio.get_running_loop().remove_reader(waiting.output)
    os.close(waiting.output)
    if waiting.channel is not None:
        waiting.channel.close()
