"""What forking from a zygote buys: time to a ready runtime, time to a first answer, memory.

Pairs are measured by turns in one run, so that what disturbs the machine disturbs both: the same
function, which imports all that the profile has, forked and started plainly by the agent's own
parts. First answers are those of whole agents over HTTP, from `specialise` to the answer. Memory is
the proportional set size of idle processes, from /proc/PID/smaps_rollup (needs to be root, since
agents are closed to others).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight_agent.journal import Journal
from pilotlight_agent.places import Places
from pilotlight_agent.processes import isolation, tree
from pilotlight_agent.processes.spawner import ExecSpawner, Reaper, Spawner
from pilotlight_agent.runtimes import python as managed_python
from pilotlight_agent.runtimes.frames import FrameLink
from pilotlight_agent.runtimes.variables import LOG_STREAM
from pilotlight_agent.runtimes.zygote_spawner import ZygoteSpawner

from .targets import call, functions_framework

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PROFILES = ROOT / "runtime-images" / "python" / "pilotlight_python" / "profile.json"
NOOP = "def handler(event, context):\n    return event\n"
TOKEN = "benchmark"
ZYGOTE_AND_NEXT = 2
PATIENCE = 10.0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fork", description=__doc__)
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    given = parser.parse_args()
    given.python = given.python.absolute()
    first = [first_answer(given.python) for _ in range(given.pairs)]
    idle, environment = idle_memory(given.python)
    framework = framework_memory()
    isolation.isolate()
    forks, starts = asyncio.run(pairs(given.python, given.pairs))
    ratio = statistics.median(start / fork for fork, start in zip(forks, starts, strict=True))
    print("| what | median | p95 |\n|---|---|---|")
    print(row("runtime ready with the profile's imports, forked", forks))
    print(row("the same, started plainly", starts))
    print(f"| plain against forked, median of {given.pairs} pairs | {ratio:.1f} times | |")
    print(row("specialise to first answer, whole agent over HTTP", first))
    print(f"| idle generic agent, its zygote and the next environment, PSS | {idle:.1f} MB | |")
    print(f"| idle forked environment, PSS | {environment:.1f} MB | |")
    print(f"| one functions-framework process tree, PSS | {framework:.1f} MB | |")


def row(name: str, seconds: list[float]) -> str:
    """Return a row of the table, in milliseconds."""
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1]
    return f"| {name} | {statistics.median(seconds) * 1000:.1f} ms | {p95 * 1000:.1f} ms |"


class Ready:
    """Hears one thing of a runtime process: that it is ready."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ready(self) -> None:
        """Note it."""
        self.future.set_result(None)

    def on_init_error(self, error_type: str, body: bytes) -> None:
        """Fail the benchmark."""
        self.future.set_exception(RuntimeError(f"{error_type}: {body.decode()}"))

    def on_result(self, request_id: str, result: object) -> None:
        """Nothing is ever asked."""


async def pairs(python: Path, count: int) -> tuple[list[float], list[float]]:
    """Return the seconds to a ready runtime, forked and plain, by turns."""
    reaper = Reaper()
    reaper.start()
    plain = ExecSpawner(reaper)
    with function_folder() as folder:
        places = Places(folder, Path("/tmp"), folder / "opt", python)
        variables = managed_python.zygote_variables(places)
        command = managed_python.command(python)
        zygote = ZygoteSpawner(command, variables, plain=plain, journal=Journal())
        zygote.start()
        while not zygote.ready:  # noqa: ASYNC110 -- nobody tells, and it is not measured
            await asyncio.sleep(0.01)
        variables |= {"_HANDLER": "function.handler", LOG_STREAM: "x"}
        forks, starts = [], []
        for _ in range(count):
            forks.append(await ready_after(zygote, places, variables, forked=True))
            starts.append(await ready_after(plain, places, variables, forked=False))
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)
        return forks, starts


@contextmanager
def function_folder() -> Iterator[Path]:
    """Make a function that imports all that the profile has, as far as it is installed."""
    lists: dict[str, list[str]] = json.loads(PROFILES.read_text())
    imports = "".join(
        f"try: import {name}\nexcept ModuleNotFoundError: pass\n"
        for names in lists.values()
        for name in names
    )
    with tempfile.TemporaryDirectory() as name:
        Path(name, "function.py").write_text(imports + NOOP)
        yield Path(name)


async def ready_after(
    spawner: Spawner, places: Places, variables: dict[str, str], *, forked: bool
) -> float:
    """Return the seconds from asking for a process until its handler is loaded; then end it."""
    heard = Ready()
    link = FrameLink(heard)
    output = os.open(os.devnull, os.O_WRONLY)
    fd = link.runtime_socket.fileno()
    command = (*managed_python.command(places.interpreter), str(fd), str(places.layers_root))
    begun = time.perf_counter()
    pid = spawner.spawn(command, variables, places.task_root, (output, fd))
    await heard.future
    spent = time.perf_counter() - begun
    assert is_forked(pid) == forked
    ended = asyncio.Event()
    spawner.on_exit(pid, lambda _: ended.set())
    os.close(output)
    link.runtime_socket.close()
    link.close()
    await ended.wait()
    return spent


def is_forked(pid: int) -> bool:
    """Whether a process is a zygote's fork: then it shows the zygote's command."""
    return b"--zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()


class Agent:
    """A generic agent with a zygote, and requests to it."""

    def __init__(self, folder: Path, python: Path, checkout: Path) -> None:
        self.folder = folder
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pilotlight_agent", "--parent-stdin"),
                *(
                    "--listen",
                    "127.0.0.1:0",
                    "--token-sha256",
                    digest,
                    "--interpreter",
                    str(python),
                ),
                *("--task-root", str(folder / "task"), "--temporary", str(folder / "tmp")),
                *("--layers-root", str(folder / "opt"), "--runtime", "python3.13"),
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, packages(checkout)))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        port = json.loads(self.process.stdout.readline())["port"]
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while self.request("GET", "/ready")[0] != 200:  # noqa: PLR2004 -- a status of HTTP
            time.sleep(0.02)

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return status and body."""
        authorization = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
        self.connection.request(method, path, json.dumps(body), authorization)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def specialise(self) -> str:
        """Give it the no-op function; gives the environment's id."""
        package = self.folder / "package.zip"
        document = specification(package)
        status, body = self.request("POST", "/v1/specialise", document)
        assert status == 200, body  # noqa: PLR2004 -- a status of HTTP
        identity: str = json.loads(body)["environments"][0]["id"]
        return identity

    def start_environments(self, count: int) -> list[str]:
        """Start so many more; gives the ids of those that are new."""
        known = {
            each["id"] for each in json.loads(self.request("GET", "/v1/status")[1])["environments"]
        }
        status, body = self.request("POST", "/v1/environments", {"count": count})
        assert status == 200, body  # noqa: PLR2004 -- a status of HTTP
        found: list[str] = [each["id"] for each in json.loads(body)["environments"]]
        return [identity for identity in found if identity not in known]

    def invoke(self, environment: str) -> None:
        """Invoke the function once."""
        headers = {
            "Pilotlight-Environment": environment,
            "Pilotlight-Lease": "benchmark/1",
            "Pilotlight-Request-Id": "r",
            "Content-Type": "application/json",
        }
        status, body = self.request("POST", "/v1/invoke", {"key": "value"}, headers)
        assert (status, json.loads(body)) == (200, {"key": "value"})


def packages(checkout: Path) -> tuple[Path, ...]:
    """Return where a checkout has what runs in a pod."""
    images = checkout / "runtime-images"
    return images / "agent", images / "python", checkout / "wire"


@contextmanager
def agent(python: Path, checkout: Path = ROOT) -> Iterator[Agent]:
    """Run an agent that is ready, with a package beside it."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(Path(folder, "package.zip"), "w") as package:
            package.writestr("function.py", NOOP)
        started = Agent(Path(folder), python, checkout)
        try:
            yield started
        finally:
            started.connection.close()
            started.process.communicate()


def specification(package: Path) -> dict[str, Any]:
    """Return the body of `POST /v1/specialise`."""
    return {
        "revision": "0",
        "function": {
            "name": "noop",
            "arn": "arn:aws:lambda:us-east-1:000000000000:function:noop",
            "runtime": "python3.13",
            "handler": "function.handler",
        },
        "code": {
            "sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
            "url": package.as_uri(),
        },
    }


def first_answer(python: Path) -> float:
    """Return the seconds from specialising a generic agent to its first answer."""
    with agent(python) as started:
        begun = time.perf_counter()
        started.invoke(started.specialise())
        return time.perf_counter() - begun


def idle_memory(python: Path) -> tuple[float, float]:
    """Return megabytes of a generic agent with its zygote, and of an environment forked then."""
    with agent(python) as started:
        pid = started.process.pid
        deadline = time.monotonic() + PATIENCE
        while len(tree.descendants(pid)) < ZYGOTE_AND_NEXT:
            assert time.monotonic() < deadline, "nothing was forked ahead"
            time.sleep(0.02)
        idle = megabytes(pid, *tree.descendants(pid))
        started.invoke(started.specialise())
        (environment,) = filter(is_environment, tree.descendants(pid))
        return idle, megabytes(environment)


def is_environment(pid: int) -> bool:
    """Whether a process has a log stream: the zygote and what it has forked ahead have dashes."""
    return f"{LOG_STREAM}=-".encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def framework_memory() -> float:
    """Return the megabytes of a functions-framework that has answered once."""
    target = functions_framework()
    target.start()
    try:
        call(target.url)
        assert target.process is not None
        pid = target.process.pid
        return megabytes(pid, *tree.descendants(pid))
    finally:
        target.stop()


def megabytes(*pids: int) -> float:
    """Return the proportional set size of processes together."""
    return sum(map(tree.proportional_kilobytes, pids)) / 1024


if __name__ == "__main__":
    main()
