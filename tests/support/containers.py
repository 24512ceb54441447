"""Tools for containers as tests have them: real ones that have a small image, and none."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pilotlight_local.containers.agent_bundle import AgentBundle
from pilotlight_local.containers.docker import Podman
from pilotlight_local.containers.engine import EngineError, LocalImage
from pilotlight_local.containers.engines import ENGINES, Engines, Held
from pilotlight_local.containers.pods import ContainerPods, RunningContainer
from pilotlight_local.environments import cache_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilotlight.compute import PodRequest
    from pilotlight_local.containers.engine import Engine

__all__ = ["IN_CI", "Bare", "FunctionImage", "work"]

IN_CI = ("podman", "buildah")
BUILDING_SECONDS = 120
CLIENT = """
import http.client, json, os, subprocess, time

def handler(event):
    match event.get("do"):
        case "sleep":
            # A child in a session of its own, which is to end with the call even so.
            subprocess.Popen([*SELF, "-c", "import time; time.sleep(600)"], start_new_session=True)
            time.sleep(60)
        case "exit":
            print("about to exit", flush=True)
            os._exit(3)
        case "fill":
            held = b"1" * (event["megabytes"] << 20)
            time.sleep(2)
            return len(held)
        case "write":
            return [write(path) for path in event["paths"]]
        case "processes":
            return [open(f"/proc/{pid}/cmdline").read() for pid in owned()]
    said = {"event": event, "folder": os.getcwd(), "user": os.getuid()}
    return said | {"build": BUILD, "variables": dict(os.environ)}

def owned():
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    return [pid for pid in pids if os.stat(f"/proc/{pid}").st_uid == os.getuid()]

def write(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    return "written"

SELF = open("/proc/self/cmdline").read().split("\\0")[:4]
print("loaded", flush=True)
path = "/2018-06-01/runtime/invocation/"
while True:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", path + "next")
    event = api.getresponse()
    answer = handler(json.loads(event.read()))
    request = event.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", path + request + "/response", json.dumps(answer))
    api.getresponse().read()
"""
"""A function that speaks the Runtime API by itself."""
DOCKERFILE = """
FROM scratch
COPY agent /python
COPY app.py /function/app.py
ENV COLOUR=green LD_PRELOAD=
WORKDIR /function
ENTRYPOINT ["/python/lib/loader", "--library-path", "/python/lib", "/python/bin/python3", "-S"]
CMD ["/function/app.py"]
"""
"""Nothing but an interpreter, which is the agent's, at another place: no registry is needed."""
_BUILD = {
    "podman": ("build", "--network=host"),
    "docker": ("build",),
    "buildah": ("bud", "--layers"),
}


class Bare(ContainerPods):
    """Runs agents of images as processes of this machine, whose files they see."""

    def __init__(self) -> None:
        super().__init__(Engines(lambda _: None), AgentBundle(Path("/nowhere")), 1)

    async def find(self, reference: str) -> Held:
        """Return what stands for any image."""
        return Held(_NoEngine(), LocalImage(reference, reference, {}))

    def begin(self, folder: Path, held: Held) -> RunningContainer:
        """Name the folder that is the pod's."""
        folder.mkdir(parents=True)
        return RunningContainer(held.engine, str(folder))

    async def prepare(
        self, container: RunningContainer, request: PodRequest, held: Held, options: Sequence[str]
    ) -> Sequence[str]:
        """Return how the agent is run."""
        del request, held
        names = ("task-root", "temporary", "layers-root")
        places = [f"--{name}={container.name}/{name}" for name in names]
        return [sys.executable, "-m", "pilotlight_agent", *places, *options]


class _NoEngine(Podman):
    """Has nothing to remove."""

    async def remove(self, name: str) -> None:
        """Leave all as it is."""


def work(engine: Engine) -> None:
    """Skip the test where a tool does not work here; fail in CI, which has it."""
    try:
        asyncio.run(engine.check())
    except EngineError as error:
        message = f"NO CONTAINER IMAGE RAN WITH {engine.name}: {error}"
        if os.environ.get("CI") and engine.name in IN_CI:
            pytest.fail(message)
        pytest.skip(message)


class FunctionImage:
    """A function's image, which a tool of this machine has from `build` to `remove`."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.name = f"localhost/pilotlight-test-{uuid.uuid4().hex[:8]}:1"
        self._engine = engine
        self._folder = folder
        self._identities: list[str] = []

    def build(self, number: int) -> None:
        """Build it, or another one by its name; it tells its number."""
        bundle = asyncio.run(AgentBundle(cache_folder()).find())
        agent = self._folder / "agent"
        if not agent.exists():
            subprocess.run(["cp", "-R", bundle, agent], check=True)
        (self._folder / "Dockerfile").write_text(DOCKERFILE)
        (self._folder / "app.py").write_text(f"BUILD = {number}\n{CLIENT}")
        said = self._run(*_BUILD[self._engine], "--quiet", "--tag", self.name, str(self._folder))
        self._identities.append(said.strip().splitlines()[-1])

    def remove(self) -> None:
        """Leave nothing of what was built."""
        self._run("rmi", "--force", *self._identities)

    def containers(self, name: str) -> list[str]:
        """Return the names of the tool's containers that begin so."""
        listing = ("containers",) if self._engine == "buildah" else ("ps", "--all")
        field = "ContainerName" if self._engine == "buildah" else "Names"
        said = self._run(*listing, "--format", f"{{{{.{field}}}}}").split()
        return [one for one in said if one.startswith(name)]

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [self._engine, *words], capture_output=True, text=True, timeout=BUILDING_SECONDS,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{self._engine} {words[0]}: {done.stderr}")
        return done.stdout


assert {engine.name for engine in ENGINES} == _BUILD.keys()
