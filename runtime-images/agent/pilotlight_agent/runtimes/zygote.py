"""The agent's end of a zygote: a process that forks managed Python environments on request.

The other end is `pilotlight_python.zygote`. Messages are datagrams of JSON; a request carries the
descriptors of the new process. `zygote_spawner` decides whether it serves a function.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pilotlight_agent.errors import ForkError
from pilotlight_agent.journal import Journal
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_wire.events import EventType

from .variables import LOG_STREAM

_MESSAGE_LIMIT = 65_536
_FORK_SECONDS = 2.0
_MOST_FAILURES = 3
_RESTART_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Born:
    """A zygote that is there already: its process, and the descriptor of the socket to it."""

    pid: int
    descriptor: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """Top-level names of what a zygote has loaded beyond a plain start."""

    standard: frozenset[str]
    """Of the standard library."""
    packages: frozenset[str]
    """Of packages, which an environment may forget."""


class Zygote:
    """One zygote, started anew when it ends; given up when it fails three times in a row."""

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        spawner: Spawner,
        journal: Journal,
    ) -> None:
        self.loaded: Loaded | None = None
        """None while there is none."""
        self.settled = False
        """Whether it is ready, or will never be."""
        self.pid: int | None = None
        self._command = command
        self._variables = variables
        self._spawner = spawner
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._failures = 0

    def adopt(self, born: Born) -> None:
        """Take the zygote that the agent's own process left behind in a fork."""
        self._listen(born.pid, socket.socket(fileno=born.descriptor))

    def start(self) -> None:
        """Start the process; it is settled when it has loaded what it will have."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            command = (*self._command, "--zygote", str(theirs.fileno()))
            fds = (null, theirs.fileno())
            pid = self._spawner.spawn(command, self._variables, Path("/"), fds)
        except OSError as error:
            ours.close()
            self._give_up(str(error))
            return
        finally:
            os.close(null)
            theirs.close()
        self._listen(pid, ours)

    def _listen(self, pid: int, connection: socket.socket) -> None:
        connection.settimeout(_FORK_SECONDS)
        self.pid, self._socket = pid, connection
        self._loop.add_reader(connection, self._read)
        self._spawner.on_exit(pid, self._on_exit)

    def stop(self) -> None:
        """Let it end, for good."""
        self._failures = _MOST_FAILURES
        self._close()

    def fork(
        self,
        variables: Mapping[str, str],
        folder: Path,
        layers_root: str,
        fds: Sequence[int],
        *,
        forget: bool,
    ) -> int:
        """Return the id of a new process with standard output `fds[0]` and channel `fds[1]`.

        `forget`: it has none of the packages loaded. ForkError when there is no such process. The
        answer is waited for: it comes sooner than an exec would.
        """
        if self._socket is None or self.loaded is None:
            raise ForkError("there is no zygote")
        request = {
            "variables": dict(variables),
            "mark": variables[LOG_STREAM],
            "folder": str(folder),
            "layersRoot": layers_root,
            "forget": forget,
        }
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], fds)
            answer = self._receive_answer(self._socket)
        except OSError as error:
            self._kill()
            raise ForkError(str(error)) from error
        pid = answer.get("pid")
        if not isinstance(pid, int):
            raise ForkError(str(answer.get("error", "the zygote has ended")))
        self._failures = 0
        return pid

    def _receive_answer(self, connection: socket.socket) -> dict[str, object]:
        """Wait for the answer; once more when the zygote had to be killed for being late.

        Whoever could still answer then does, or leaves the socket closed.
        """
        try:
            return _decode(connection.recv(_MESSAGE_LIMIT))
        except TimeoutError:
            self._kill()
            return _decode(connection.recv(_MESSAGE_LIMIT))

    def _read(self) -> None:
        """Take what it says unasked: that it is ready, or why it cannot be."""
        message = b""
        if self._socket is not None:
            with suppress(OSError):
                message = self._socket.recv(_MESSAGE_LIMIT, socket.MSG_DONTWAIT)
        said = _decode(message)
        standard, packages = said.get("standard"), said.get("packages")
        if isinstance(standard, list) and isinstance(packages, list):
            self.loaded = Loaded(frozenset(standard), frozenset(packages))
            self._tell("ready", "")
            self.settled = True
            return
        if "error" in said:
            self._give_up(str(said["error"]))
        self._close()

    def _on_exit(self, code: int) -> None:
        self.pid = None
        self._close()
        if self._failures >= _MOST_FAILURES:
            return
        self._failures += 1
        self._tell("ended", f"exit code {code}")
        if self._failures == _MOST_FAILURES:
            self._give_up("it ended too often")
        else:
            self._loop.call_later(_RESTART_SECONDS * self._failures, self._restart)

    def _restart(self) -> None:
        if self._failures < _MOST_FAILURES:
            self.start()

    def _give_up(self, reason: str) -> None:
        self._failures = _MOST_FAILURES
        self._tell("failed", reason)
        self.settled = True

    def _close(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self.loaded = None

    def _kill(self) -> None:
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)  # ours until it is reaped

    def _tell(self, state: str, reason: str) -> None:
        fields = {"state": state, "reason": reason}
        self._journal.append(EventType.ZYGOTE, json.dumps(fields)[1:-1])


def _decode(message: bytes) -> dict[str, object]:
    """Return the message; an end of file is an empty one."""
    document = json.loads(message or b"{}")
    return document if isinstance(document, dict) else {}
