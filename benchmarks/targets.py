"""What is measured: each target serves the same no-op handler over HTTP on a loopback port.

A target is a process tree, so that its CPU time can be read from /proc as a whole.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
EVENT = b'{"key": "value"}'
POST = f"""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[{EVENT.decode()}]]
"""
NOOP = "def handler(event, context):\n    return event\n"
RIC_BOOTSTRAP = '#!/bin/sh\nexec "{python}" -m awslambdaric "$_HANDLER"\n'


@dataclass
class Target:
    """A server under measurement."""

    name: str
    command: list[str]
    port: int
    path: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    script: str = POST
    """What wrk sends."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    def start(self) -> None:
        """Start it and wait for its first answer."""
        self.process = subprocess.Popen(
            self.command,
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                call(self.url)
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def cpu_seconds(self) -> float:
        """Return the CPU time that its process tree has used."""
        if self.process is None:
            return 0.0
        return cpu_seconds(self.process.pid)


def call(url: str) -> bytes:
    """Make one call."""
    request = urllib.request.Request(
        url, data=EVENT, headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def functions_framework(handler: str = "framework.py") -> Target:
    """Google's functions-framework, called directly: the bare runtime bar."""
    port = free_port()
    program = Path(sys.executable).with_name("functions-framework")
    source = HERE / "handlers" / handler
    command = [str(program), "--target", "handler", "--source", str(source), "--port", str(port)]
    return Target("functions-framework", command, port)


def aiohttp_proxy(upstream: Target) -> Target:
    """A plain aiohttp server and ClientSession in front of a target."""
    port = free_port()
    command = [sys.executable, str(HERE / "handlers" / "proxy.py"), str(port), upstream.url]
    return Target("aiohttp proxy → functions-framework", command, port)


def pilotlight(checkout: Path | None = None, **spec: object) -> tuple[Target, Target]:
    """The local platform with two functions: managed Python, and awslambdaric beside it.

    It is this checkout's, or another's that was set up; `spec` is set of both functions.
    """
    folder = Path(tempfile.mkdtemp(prefix="pilotlight-bench-"))
    _function(folder, "noop", "python3.13", {"index.py": NOOP}, spec)
    bootstrap = RIC_BOOTSTRAP.format(python=sys.executable)
    _function(folder, "ric", "provided.al2023", {"bootstrap": bootstrap, "index.py": NOOP}, spec)
    port = free_port()
    programs = checkout.absolute() / ".venv/bin" if checkout else Path(sys.executable).parent
    command = [str(programs / "pilotlight"), "dev", str(folder), "--no-watch", "--port", str(port)]
    command += ["--state", str(folder / "state")]
    path = "/2015-03-31/functions/{}/invocations"
    managed = Target("Pilotlight", command, port, path.format("noop"))
    ric = Target("Pilotlight, awslambdaric", command, port, path.format("ric"))
    return managed, ric


def _function(
    folder: Path, name: str, runtime: str, files: dict[str, str], spec: dict[str, object]
) -> None:
    source = folder / name / "src"
    source.mkdir(parents=True)
    for file, text in files.items():
        (source / file).write_text(text)
        (source / file).chmod(0o755)
    common = {"runtime": runtime, "handler": "index.handler", "timeout": 30, "memory": 256}
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name, "annotations": {"pilotlight.dev/source": "./src"}},
        "spec": common | spec,
    }
    (folder / name / "function.yaml").write_text(json.dumps(manifest))


def cpu_seconds(root: int) -> float:
    """Return the CPU time that a process and its descendants have used."""
    return sum(_cpu(pid) for pid in process_tree(root))


def process_tree(root: int) -> list[int]:
    """Return a process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS
