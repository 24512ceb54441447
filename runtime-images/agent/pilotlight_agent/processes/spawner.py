"""Starting processes and hearing of their end.

Everything that runs a function's code is started through a `Spawner`, so that a zygote can take
the place of fork and exec without anyone noticing (`zygote_spawner`). The agent is a subreaper: it
reaps children that it never started, which is why asyncio's own child watcher cannot be used here.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_SETTLING_SECONDS = 0.01

Exit = Callable[[int], None]


class Spawner(Protocol):
    """Starts a process in a session of its own and tells of its end."""

    @property
    def ready(self) -> bool:
        """Whether processes start as quickly as they ever will."""

    @property
    def helpers(self) -> Sequence[int]:
        """Ids of processes of its own, which belong to no environment."""

    def start(self) -> None:
        """Begin to prepare; called once, as soon as the agent listens."""

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, fds: Sequence[int]
    ) -> int:
        """Start `argv` and give its process id; OSError when it cannot be started.

        `fds[0]` becomes its standard output and error, the others keep their numbers.
        """

    def on_exit(self, pid: int, callback: Exit) -> None:
        """Call back once with the exit code, or the negative signal number."""


class Reaper:
    """Collects every child that ends, adopted ones included."""

    def __init__(self) -> None:
        self._waiting: dict[int, Exit] = {}

    def start(self) -> None:
        """Begin to listen for ended children."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)

    def reap(self) -> None:
        """Collect all children that have ended."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                callback = self._waiting.pop(pid, None)
                if callback is not None:
                    callback(os.waitstatus_to_exitcode(status))

    def watch(self, pid: int, callback: Exit) -> None:
        """Call `callback` with the exit code of `pid`; it is called from the loop, never here."""
        self._waiting[pid] = callback


class ExecSpawner:
    """Starts processes with fork and exec."""

    ready = True
    helpers: Sequence[int] = ()

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper

    def start(self) -> None:
        """Nothing is prepared."""

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, fds: Sequence[int]
    ) -> int:
        """Start `argv`, with nothing of the agent's own environment or descriptors."""
        child = subprocess.Popen(  # noqa: S603 -- running the function is what the agent is for
            argv,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=fds[0],
            stderr=fds[0],
            pass_fds=fds[1:],
            start_new_session=True,
        )
        leave_to_reaper(child)
        return child.pid

    def on_exit(self, pid: int, callback: Exit) -> None:
        """Call back once with the exit code, or the negative signal number."""
        self._reaper.watch(pid, callback)


def leave_to_reaper(child: subprocess.Popen[bytes]) -> None:
    """Have the reaper collect it, not Popen, and the kernel choose it before the agent."""
    child.returncode = 0
    # Not at once: a process that has only just been started does not belong to its user yet.
    loop = asyncio.get_running_loop()
    loop.call_later(_SETTLING_SECONDS, _offer_to_oom_killer, child.pid)


def _offer_to_oom_killer(pid: int) -> None:
    """Make the kernel choose the function, not the agent, when the container's memory is full."""
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_bytes(b"1000")
