"""The agent's end of a zygote: a process that forks managed Python environments on request.

The other end is `pilotlight_python.zygote`. Messages are datagrams of JSON; a request carries the
descriptors of the new process. `zygote_spawner` decides which zygote serves a function.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pilotlight_agent.journal import Journal
from pilotlight_agent.process import Spawner
from pilotlight_agent.variables import LOG_STREAM

_MESSAGE_LIMIT = 65_536
_FORK_SECONDS = 2.0
_MOST_FAILURES = 3
_RESTART_SECONDS = 0.2
_MARK_SIZE = 128


class ForkError(Exception):
    """No process was forked, and none will be: another way of starting one is free."""


class Zygote:
    """One zygote, started anew when it ends; given up when it fails three times in a row.

    `names` are the top-level modules that it has loaded beyond a plain start, None until then.
    With a `parent` that is ready it is forked from that one, and shares its memory.
    """

    def __init__(  # noqa: PLR0913 -- what it runs and the parts of the agent it stands on
        self,
        profile: str,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        spawner: Spawner,
        journal: Journal,
        parent: "Zygote | None" = None,
    ) -> None:
        self.names: frozenset[str] | None = None
        self.settled = False
        """Whether it is ready, or will never be."""
        self.pid: int | None = None
        self.on_settled: Callable[[], None] = lambda: None
        """Called when it is settled for the first time."""
        self._profile = profile
        self._command = command
        # Room for the mark by which `tree` knows a forked process; a zygote is nobody's.
        self._variables = {**variables, LOG_STREAM: "-" * _MARK_SIZE}
        self._spawner = spawner
        self._journal = journal
        self._parent = parent
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._failures = 0

    def start(self) -> None:
        """Start the process; `names` appear when it is ready."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_FORK_SECONDS)
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            self.pid = self._bear(null, theirs.fileno())
        except OSError as error:
            self._close()
            self._give_up(str(error))
            return
        finally:
            os.close(null)
            theirs.close()
        self._loop.add_reader(self._socket, self._read)
        self._spawner.on_exit(self.pid, self._on_exit)

    def _bear(self, output: int, control: int) -> int:
        """Fork from the parent if that is possible, else start a process."""
        if self._parent is not None:
            with suppress(ForkError):
                return self._parent.request({"profile": self._profile}, (output, control))
        command = (*self._command, "--zygote", str(control), self._profile)
        return self._spawner.spawn(command, self._variables, Path("/"), (output, control))

    def stop(self) -> None:
        """Let it end, for good."""
        self._failures = _MOST_FAILURES
        self._close()

    def fork(
        self, variables: Mapping[str, str], folder: Path, layers_root: str, fds: Sequence[int]
    ) -> int:
        """Give the id of a new process with standard output `fds[0]` and channel `fds[1]`.

        ForkError when there is none.
        """
        request = {
            "variables": dict(variables),
            "mark": variables[LOG_STREAM],
            "folder": str(folder),
            "layersRoot": layers_root,
        }
        return self.request(request, fds)

    def request(self, request: Mapping[str, object], fds: Sequence[int]) -> int:
        """Give the id of a process that is forked as requested; ForkError when there is none.

        The answer is waited for: it comes sooner than an exec would.
        """
        if self._socket is None or self.names is None:
            raise ForkError("there is no zygote")
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
        names = said.get("names")
        if isinstance(names, list):
            self.names = frozenset(names)
            self._tell("ready", "")
            self._settle()
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
        self._settle()

    def _settle(self) -> None:
        if not self.settled:
            self.settled = True
            self.on_settled()

    def _close(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self.names = None

    def _kill(self) -> None:
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)  # ours until it is reaped

    def _tell(self, state: str, reason: str) -> None:
        fields = {"zygote": self._profile, "state": state, "reason": reason}
        self._journal.append("zygote", json.dumps(fields)[1:-1])


def _decode(message: bytes) -> dict[str, object]:
    """Give the message; an end of file is an empty one."""
    document = json.loads(message or b"{}")
    return document if isinstance(document, dict) else {}
