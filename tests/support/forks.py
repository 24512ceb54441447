"""Processes of `pilotlight` that begin at once: forked from one that has imported everything.

A platform starts in two seconds, nearly all of which are imports; a test that kills one twenty
times would spend them twenty times. Of what is killed nothing differs: it is a process of its own,
with memory, files and connections of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from pilotlight_cli.main import main

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

__all__ = ["ForkedProcess", "Forks"]

IMPORTED = ("pilotlight_cli.commands.dev", "pilotlight_local.platform")
LARGEST_MESSAGE = 1 << 16


class ForkedProcess:
    """What of `subprocess.Popen` is needed of a process that is nobody's child here."""

    def __init__(self, pid: int, stdout: TextIO, channel: socket.socket) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._channel = channel

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once; it may be gone but for its status."""
        if self.returncode is None:
            self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        """Wait for its end, and give its status; raises subprocess.TimeoutExpired."""
        self._channel.settimeout(timeout)
        try:
            self.returncode = int(self._channel.recv(LARGEST_MESSAGE))
        except TimeoutError as error:
            raise subprocess.TimeoutExpired("pilotlight", timeout) from error
        return self.returncode


class Forks:
    """Starts one process after another, the next one once the last has ended."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            words = [sys.executable, "-m", __name__, str(number)]
            self._server = subprocess.Popen(words, pass_fds=[number])

    def start(self, words: Sequence[str]) -> ForkedProcess:
        """Start `pilotlight …`, whose output is a pipe."""
        reader, writer = os.pipe()
        self._channel.settimeout(None)
        socket.send_fds(self._channel, [json.dumps(words).encode()], [writer])
        os.close(writer)
        pid = int(self._channel.recv(LARGEST_MESSAGE))
        return ForkedProcess(pid, os.fdopen(reader), self._channel)

    def close(self) -> None:
        """End what forks."""
        self._channel.close()
        self._server.wait()


def serve(channel: socket.socket) -> None:
    """Fork for each message, and tell of each process its id, then its status."""
    for name in IMPORTED:
        import_module(name)
    while True:
        message, outputs, _, _ = socket.recv_fds(channel, LARGEST_MESSAGE, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            channel.close()
            become(json.loads(message), outputs[0])
        os.close(outputs[0])
        channel.send(str(pid).encode())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        channel.send(str(status).encode())


def become(words: Sequence[str], output: int) -> None:
    """Go on as `pilotlight …`, to the end of the process."""
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    main(words)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
