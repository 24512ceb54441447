"""Processes that are started before there is a function: of languages whose start is long.

One that waits has read its own options and no more. What it is to run with comes by a pipe, once:
the folder of the code, then each variable as NAME=VALUE, with a NUL between. A function that the
options or the variables of the start do not suit is started plainly, so that nobody can tell the
difference, but by how long the process is there, and in Node.js by /proc/self/environ.
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
    """What is added where it is to wait, in front of the pipe's descriptor and the channel's."""
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


class _Waiting(NamedTuple):
    """A process without a function."""

    process: Prepared
    pipe: int
    """The descriptor by which it is told what it is to run with."""

    def close(self) -> None:
        """Let go of all that leads to it."""
        asyncio.get_running_loop().remove_reader(self.process.output)
        os.close(self.process.output)
        os.close(self.pipe)
        if self.process.channel is not None:
            self.process.channel.close()


class PreparedSpawner:
    """Starts one process ahead, and all others by `plain`."""

    def __init__(self, recipe: Recipe, plain: Spawner) -> None:
        self._recipe = recipe
        self._plain = plain
        self._waiting: _Waiting | None = None
        """None before it is started, and after it is taken or gone."""
        self._said = b""
        self.ready = False
        """Whether it waits, or never will."""

    @property
    def helpers(self) -> list[int]:
        """The process that waits."""
        return [] if self._waiting is None else [self._waiting.process.pid]

    def start(self) -> None:
        """Start the process that is to wait."""
        loop = asyncio.get_running_loop()
        try:
            self._waiting = _start(self._recipe)
        except OSError:  # the function that comes is told
            self.ready = True
            return
        process = self._waiting.process
        self._plain.on_exit(process.pid, self._on_exit)
        loop.add_reader(process.output, self._hear)
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
        self, command: Sequence[str], variables: Mapping[str, str], folder: Path
    ) -> Prepared | None:
        """Give the process that waits its function, if it can be `command`; None if it cannot.

        Then it waits for nobody any more.
        """
        waiting = self._waiting
        if waiting is None:
            return None
        document = _document(folder, variables)
        if not self.ready or document is None or not self._suits(command, variables):
            # Not at once: its end would take time from the process that begins now.
            asyncio.get_running_loop().call_later(_LET_GO_SECONDS, self._let_go)
            return None
        self._waiting = None
        try:
            os.write(waiting.pipe, document)
        except OSError:  # it is about to be reaped
            waiting.close()
            return None
        os.close(waiting.pipe)
        return waiting.process

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
        piece = os.read(waiting.process.output, _MOST_READ)
        self._said += piece
        if piece and READY.startswith(self._said) and self._said != READY:
            return
        asyncio.get_running_loop().remove_reader(waiting.process.output)
        if self._said != READY:  # a warning, say, which the function's log is to have
            self._let_go()
        self.ready = True

    def _on_exit(self, _code: int) -> None:
        """Forget it: the next function is started plainly."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.close()
        self.ready = True

    def _give_up(self) -> None:
        if not self.ready:
            self._let_go()

    def _let_go(self) -> None:
        if self._waiting is not None:
            with suppress(ProcessLookupError):
                os.kill(self._waiting.process.pid, signal.SIGKILL)


def _document(folder: Path, variables: Mapping[str, str]) -> bytes | None:
    """Return what a process is to run with; None where that cannot be told."""
    entries = map("=".join, variables.items())
    try:
        document = "\0".join((str(folder), *entries)).encode()
    except UnicodeEncodeError:
        return None
    return document if len(document) <= _LARGEST_DOCUMENT else None


def _fit(variables: Mapping[str, str], room: Sequence[int]) -> bool:
    """Whether variables have their places in a room, where one is wanted: longest in longest."""
    if not room:
        return True
    sizes = sorted((len("=".join(each).encode()) for each in variables.items()), reverse=True)
    places = zip(sizes, sorted(room, reverse=True), strict=False)
    return len(sizes) <= len(room) and all(size <= place for size, place in places)


def _start(recipe: Recipe) -> _Waiting:
    """Start a process that waits; raises OSError."""
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    told, pipe = os.pipe()
    given = (told, theirs.fileno()) if recipe.has_channel else (told,)
    try:
        process = subprocess.Popen(  # noqa: S603 -- running functions is what the agent is for
            (*recipe.command, *recipe.waits, *map(str, given)),
            env={**recipe.variables, **_placeholders(recipe.room)},
            cwd=recipe.folder,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            pass_fds=given,
            start_new_session=True,
        )
    except OSError:
        ours.close()
        os.close(reader)
        os.close(pipe)
        raise
    finally:
        theirs.close()
        os.close(writer)
        os.close(told)
    leave_to_reaper(process)
    if not recipe.has_channel:
        ours.close()
    return _Waiting(Prepared(process.pid, reader, ours if recipe.has_channel else None), pipe)


def _placeholders(room: Sequence[int]) -> dict[str, str]:
    return {f"_{number}": "-" * size for number, size in enumerate(room)}
