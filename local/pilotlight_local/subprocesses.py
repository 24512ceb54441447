"""Pods as subprocesses of this machine: the compute of local mode.

The same agent and the same runtimes as in a pod, in folders of the state folder. It isolates
nothing. Each agent dies with its parent: its standard input is a pipe that only we hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pilotlight.agent.health import wait_until_ready
from pilotlight.agent.token import pod_token_digest
from pilotlight.compute import Found, Pod, PodRequest
from pilotlight.errors import StartFailedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pilotlight.claims import Demand

    from .environments import Interpreter

__all__ = ["SubprocessCompute"]

PATIENT_SECONDS = 930.0
"""How long an agent may take to drain: as long as the longest call that it may still run."""
STOP_SECONDS = 15.0
"""How long it may take once the platform itself ends."""
LAST_SECONDS = 2.0
"""How long an agent may take to end its functions and itself."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Process:
    process: asyncio.subprocess.Process
    folder: Path
    announcement: int
    """The read end of its standard output."""
    watcher: asyncio.Task[None] | None = None


class SubprocessCompute:
    """Starts agents as subprocesses."""

    def __init__(
        self, folder: Path, platform_key: bytes, find: Callable[[str], Interpreter]
    ) -> None:
        """Keep pods' folders below `folder`; ask `find`, which may block, what runs a runtime."""
        self._folder = folder
        self._platform_key = platform_key
        self._find = find
        self._running: dict[str, _Process] = {}
        self._tell: Callable[[str], Awaitable[None]] | None = None
        self._hurry = asyncio.Event()
        # More interpreters than cores starting at once only delay each other.
        self._starting = asyncio.Semaphore(2 * (os.cpu_count() or 1))

    async def start(
        self, request: PodRequest, *, seconds: float, demand: Demand | None = None
    ) -> Pod:
        """Start an agent and wait until it listens."""
        del demand  # there is always room
        prefix = request.revision.function if request.revision else f"generic-{request.runtime}"
        name = f"{request.namespace}/{prefix}-{uuid.uuid4().hex[:8]}"
        interpreter = await asyncio.to_thread(self._find, request.runtime)
        async with self._starting:
            started = await self._spawn(name, request, interpreter)
            try:
                async with asyncio.timeout(seconds):
                    pod = await _listening(name, started)
                    if request.revision is None:  # a demand does not wait for a zygote
                        await wait_until_ready(pod.host, pod.port)
            except BaseException as error:
                await _end(started)
                if isinstance(error, Exception):
                    raise StartFailedError(
                        f"the agent of {name} did not start: {error or type(error).__name__}",
                        reason="InternalError",
                    ) from error
                raise
        self._running[name] = started
        started.watcher = asyncio.create_task(self._watch(name, started))
        return pod

    async def assign(self, pod: str, request: PodRequest) -> None:
        """Nothing is written down of a subprocess."""

    async def stop(self, pod: str) -> None:
        """Let an agent drain, then end it."""
        started = self._running.pop(pod, None)
        if started is None:
            return
        with contextlib.suppress(ProcessLookupError):
            started.process.send_signal(signal.SIGTERM)
        await self._wait_for(started.process)
        await _end(started)

    def hurry(self) -> None:
        """Let what ends from now on, or ends already, take no longer than a person waits."""
        self._hurry.set()

    async def _wait_for(self, process: asyncio.subprocess.Process) -> None:
        """Wait until a process has ended or has had its time."""
        ended = asyncio.ensure_future(process.wait())
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait(
                {ended, hurry}, timeout=PATIENT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            await asyncio.wait({ended}, timeout=STOP_SECONDS)
        finally:
            ended.cancel()
            hurry.cancel()

    async def running(self) -> list[str]:
        """Name the agents that run."""
        return list(self._running)

    def starting(self) -> dict[tuple[str, str], int]:
        """Count none: what starts here is there in a moment."""
        return {}

    async def found(self) -> list[Found]:
        """Return none: agents end with the process that started them."""
        return []

    async def ending(self) -> list[Found]:
        """Return none, for the same reason."""
        return []

    async def join(self, pod: str, *, seconds: float) -> Pod:
        """Fail: nobody else starts agents."""
        del seconds
        raise StartFailedError(f"nobody else starts {pod}", reason="InternalError")

    def leave(self) -> None:
        """Nobody leads next: agents end with this process."""

    def give_way(self, quiet: Callable[[], Awaitable[None]]) -> None:
        """Nothing is done to a subprocess that could wait."""

    def on_crowded(self, make_space: Callable[[str], Awaitable[bool]]) -> None:
        """Nobody is asked: a machine says nothing of room before it has none."""

    def on_gone(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Tell of agents that ended by themselves."""
        self._tell = tell

    async def _spawn(self, name: str, request: PodRequest, interpreter: Interpreter) -> _Process:
        folder = self._folder / name.partition("/")[2]
        for part in ("task", "tmp", "opt"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        digest = pod_token_digest(self._platform_key, name)
        # Only what waits for its function has the time to prepare for it, on its interpreter.
        waits = request.revision is None and interpreter.runs_agent
        runtime = request.runtime if waits else ""
        announcement, stdout = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *_command(folder, digest, interpreter.path),
                *(("--runtime", runtime) if runtime else ()),
                *("--memory", str(request.expected_memory)),
                stdin=asyncio.subprocess.PIPE,
                stdout=stdout,
                # A Ctrl-C at the terminal is ours to act on: agents drain when we say so.
                start_new_session=True,
            )
        except BaseException:
            os.close(announcement)
            raise
        finally:
            os.close(stdout)
        return _Process(process, folder, announcement)

    async def _watch(self, name: str, started: _Process) -> None:
        await started.process.wait()
        if self._running.pop(name, None) is not None:
            log.warning("agent ended", pod=name, status=started.process.returncode)
            await _end(started)
            if self._tell is not None:
                await self._tell(name)


def _command(folder: Path, digest: str, interpreter: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pilotlight_agent", "--listen", "127.0.0.1:0"),
        *("--token-sha256", digest, "--parent-stdin", "--interpreter", str(interpreter)),
        *("--task-root", str(folder / "task"), "--temporary", str(folder / "tmp")),
        *("--layers-root", str(folder / "opt")),
        # TCP's loopback takes twice as much of the processor.
        *("--socket", str(folder / "agent.sock")),
    ]


async def _listening(name: str, started: _Process) -> Pod:
    """Read the first line that an agent says, and close its mouth; returns where it listens.

    The rest would be the same events that the gateway reads over HTTP.
    """
    try:
        line = await _first_line(started.announcement)
    finally:
        os.close(started.announcement)
    if not line:
        raise RuntimeError(f"it exited with status {await started.process.wait()}")
    said = json.loads(line)
    # No socket where its path is too long, or the folder another system's.
    return Pod(name, said.get("socket", "127.0.0.1"), int(said["port"]))


async def _first_line(descriptor: int) -> bytes:
    """Read a line from a pipe, which stays the caller's to close.

    uvloop closes the pipe of `connect_read_pipe` twice; in between another thread may have opened a
    file of the same number, which is then closed under it.
    """
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    os.set_blocking(descriptor, False)
    loop.add_reader(descriptor, readable.set)
    text = b""
    try:
        while b"\n" not in text:
            await readable.wait()
            readable.clear()
            with contextlib.suppress(BlockingIOError):
                piece = os.read(descriptor, 4096)
                if not piece:
                    break
                text += piece
    finally:
        loop.remove_reader(descriptor)
    return text.partition(b"\n")[0]


async def _end(started: _Process) -> None:
    """End an agent that has not ended yet, and its functions with it.

    Closed standard input makes it kill its environments and exit; only then is it killed.
    """
    if started.process.stdin is not None:
        started.process.stdin.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_SECONDS):
            await started.process.wait()
    with contextlib.suppress(ProcessLookupError):
        started.process.kill()
    await started.process.wait()
    await asyncio.to_thread(shutil.rmtree, started.folder, ignore_errors=True)
