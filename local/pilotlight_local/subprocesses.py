"""Pods as subprocesses of this machine: the compute of local mode.

The same agent and the same runtimes as in a pod, in folders of the state folder. It isolates
nothing. Each agent dies with its parent: its standard input is a pipe that only we hold. Those of
functions that are container images are in a container (`containers`), and no different otherwise.
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
from pilotlight.compute import Crowd, Found, Pod, PodRequest
from pilotlight.errors import StartFailedError

from .containers.engine import complained
from .environments import Interpreter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path
    from typing import IO

    from pilotlight.claims import Demand

    from .containers.engines import Held
    from .containers.pods import ContainerPods, RunningContainer

__all__ = ["SubprocessCompute"]

PATIENT_SECONDS = 930.0
"""How long an agent may take to drain: as long as the longest call that it may still run."""
STOP_SECONDS = 15.0
"""How long it may take once the platform itself ends."""
LAST_SECONDS = 2.0
"""How long an agent may take to end its functions and itself."""
LAST_CONTAINER_SECONDS = 10.0
"""And how long where its container has to be taken down, too."""
COMPLAINTS = "stderr"
"""The file in a container's folder of what is said of it."""
NOT_OURS = (
    "its container runs, and nothing answers at its port of this machine's loopback: an engine on "
    "this machine is expected, whose host network is this machine's"
)

log = structlog.get_logger()


@dataclass(slots=True)
class _Process:
    process: asyncio.subprocess.Process
    folder: Path
    announcement: int
    """The read end of its standard output."""
    container: RunningContainer | None = None
    """What the agent is in, where it is in one; then the process is who runs that."""
    complaints: bytes = b""
    """What had been said of the container when it ended."""
    watcher: asyncio.Task[None] | None = None


class SubprocessCompute:
    """Starts agents as subprocesses."""

    def __init__(
        self,
        folder: Path,
        platform_key: bytes,
        find: Callable[[str], Interpreter],
        containers: ContainerPods,
    ) -> None:
        """Keep pods' folders below `folder`; ask `find`, which may block, what runs a runtime.

        Agents of functions that are container images run in `containers`.
        """
        self._folder = folder
        self._containers = containers
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
        # Either may have to be fetched first, which is no start yet.
        if request.image:
            runner: Interpreter | Held = await self._containers.find(request.image)
        else:
            runner = await asyncio.to_thread(self._find, request.runtime)
        async with self._starting:
            started = await self._spawn(name, request, runner)
            try:
                async with asyncio.timeout(seconds):
                    pod = await _listening(name, started)
                    # A demand does not wait for a zygote; a container's port may not be ours.
                    if request.revision is None or started.container is not None:
                        await wait_until_ready(pod.host, pod.port)
            except BaseException as error:
                await _end(started)
                if isinstance(error, Exception):
                    raise StartFailedError(
                        f"the agent of {name} did not start: {_explain(started, error)}",
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

    def on_crowded(self, make_space: Callable[[Crowd], Awaitable[bool]]) -> None:
        """Nobody is asked: a machine says nothing of room before it has none."""

    def on_gone(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Tell of agents that ended by themselves."""
        self._tell = tell

    async def _spawn(self, name: str, request: PodRequest, runner: Interpreter | Held) -> _Process:
        folder = self._folder / name.partition("/")[2]
        digest = pod_token_digest(self._platform_key, name)
        options = ["--listen", "127.0.0.1:0", "--token-sha256", digest, "--parent-stdin"]
        options += ["--memory", str(request.expected_memory)]
        if not isinstance(runner, Interpreter):
            return await self._spawn_container(folder, request, runner, options)
        options += _options(folder, request, runner)
        return await _run(folder, [sys.executable, "-m", "pilotlight_agent", *options])

    async def _spawn_container(
        self, folder: Path, request: PodRequest, held: Held, options: Sequence[str]
    ) -> _Process:
        """Start who runs a container; leaves nothing where that fails."""
        container = self._containers.begin(folder, held)
        try:
            command = await self._containers.prepare(container, request, held, options)
            with (folder / COMPLAINTS).open("wb") as complaints:
                return await _run(folder, command, complaints, container)
        except BaseException:
            await container.remove()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise

    async def _watch(self, name: str, started: _Process) -> None:
        await started.process.wait()
        if self._running.pop(name, None) is not None:
            await _end(started)
            status, said = started.process.returncode, complained(started.complaints)
            log.warning("agent ended", pod=name, status=status, **({"said": said} if said else {}))
            if self._tell is not None:
                await self._tell(name)


def _options(folder: Path, request: PodRequest, interpreter: Interpreter) -> list[str]:
    """Return what an agent is told of this machine, in whose folders it has its own."""
    for part in ("task", "tmp", "opt"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    # Only what waits for its function has the time to prepare for it, on its interpreter.
    waits = request.revision is None and interpreter.runs_agent
    return [
        *("--interpreter", str(interpreter.path)),
        *("--task-root", str(folder / "task"), "--temporary", str(folder / "tmp")),
        *("--layers-root", str(folder / "opt")),
        *(("--runtime", request.runtime) if waits else ()),
        # TCP's loopback takes twice as much of the processor.
        *("--socket", str(folder / "agent.sock")),
    ]


async def _run(
    folder: Path,
    command: Sequence[str],
    complaints: IO[bytes] | None = None,
    container: RunningContainer | None = None,
) -> _Process:
    """Start an agent by itself, or who runs its container."""
    announcement, stdout = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=stdout,
            stderr=complaints,
            # A Ctrl-C at the terminal is ours to act on: agents drain when we say so.
            start_new_session=True,
        )
    except BaseException:
        os.close(announcement)
        raise
    finally:
        os.close(stdout)
    return _Process(process, folder, announcement, container)


def _explain(started: _Process, error: Exception) -> str:
    """Return why an agent did not start: the last that was said of its container, if it has one."""
    said = ""
    if started.container is not None:
        said = complained(started.complaints)
        if isinstance(error, TimeoutError):
            said = said or NOT_OURS
    return said or str(error) or type(error).__name__


async def _listening(name: str, started: _Process) -> Pod:
    """Read the first line that an agent says, and close its mouth; returns where it listens.

    The rest would be the same events that the gateway reads over HTTP. Who runs a container must
    be able to pass it on: it ends otherwise, and with it the container.
    """
    try:
        line = await _first_line(started.announcement)
    finally:
        if started.container is None:
            os.close(started.announcement)
        else:
            _discard(started.announcement)
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


def _discard(descriptor: int) -> None:
    """Read what comes to nobody, and close the pipe at its end."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(descriptor, 65_536):
                loop.remove_reader(descriptor)
                os.close(descriptor)

    loop.add_reader(descriptor, read)


async def _end(started: _Process) -> None:
    """End an agent that has not ended yet, and its functions with it.

    Closed standard input makes it kill its environments and exit; only then is it killed.
    """
    if started.process.stdin is not None:
        started.process.stdin.close()
    seconds = LAST_SECONDS if started.container is None else LAST_CONTAINER_SECONDS
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await started.process.wait()
    with contextlib.suppress(ProcessLookupError):
        started.process.kill()
    await started.process.wait()
    if started.container is not None:
        with contextlib.suppress(FileNotFoundError):
            started.complaints = (started.folder / COMPLAINTS).read_bytes()
        await started.container.remove()
    await asyncio.to_thread(shutil.rmtree, started.folder, ignore_errors=True)
