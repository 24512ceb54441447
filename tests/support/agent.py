"""A real agent process for tests: start it, specialise it from files, invoke, read its journal.

Blocking on purpose: a test that wants two things at once starts a thread. The journal is read from
the agent's standard output, and waiting for an event is waiting, not sleeping.
"""

import base64
import hashlib
import http.client
import io
import json
import os
import select
import subprocess
import sys
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

TOKEN = "a-token-that-only-tests-know"
ACCOUNT = "123456789012"
FORKING = ("--runtime", "python3.13")
"""Options of an agent that has a zygote."""
MEMORY = 256
"""MB of a function of which nothing else is said."""
_PATIENCE = 20.0

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer of the agent."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def report(self) -> Any:
        """The invocation's report."""
        return json.loads(self.headers["Pilotlight-Report"])

    @property
    def failed(self) -> bool:
        """Whether the function failed."""
        return self.headers.get("Pilotlight-Function-Error") == "Unhandled"

    @property
    def tail(self) -> str:
        """The log tail as text."""
        return base64.b64decode(self.headers["Pilotlight-Log-Tail"]).decode()


class Journal:
    """The events that the agent prints, and a way to wait for one."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def read(self, stream: Any) -> None:
        """Read until the stream ends; runs in a thread."""
        for line in stream:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()

    def wait(self, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first event that matches, as soon as it is there."""
        seen = 0
        with self._changed:
            while True:
                for event in self.events[seen:]:
                    if matches(event):
                        return event
                seen = len(self.events)
                assert self._changed.wait(_PATIENCE), self.events[-20:]

    def lines(self, request_id: str) -> list[str]:
        """Return all lines of an invocation that has ended."""
        self.wait(lambda e: e.get("requestId") == request_id and _is_report(e.get("line", "")))
        return [e["line"] for e in self.events if e.get("requestId") == request_id and "line" in e]

    def wait_for_state(self, state: str, count: int = 1, *, of: str = "state") -> None:
        """Wait until a state was told `count` times: of environments, or of the `zygote`."""

        def reached() -> bool:
            return [e["state"] for e in self.events if e["type"] == of].count(state) >= count

        with self._changed:
            assert self._changed.wait_for(reached, _PATIENCE)


class Agent:
    """One agent process on a free port."""

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        *options: str,
        python: str = sys.executable,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.folder = folder
        self.task_root = folder / "task"
        self.temporary = folder / "tmp"
        self.environment = ""
        self.lease = "gateway-1/1"
        self.journal = Journal()
        if "--memory" in options:  # where Java waits
            self.task_root.mkdir()
        self.process = subprocess.Popen(
            (
                *(sys.executable, "-m", "pilotlight_agent", "--parent-stdin"),
                *("--listen", "127.0.0.1:0", "--interpreter", python),
                *("--token-sha256", hashlib.sha256(TOKEN.encode()).hexdigest()),
                *("--task-root", str(self.task_root), "--temporary", str(self.temporary)),
                *("--layers-root", str(folder / "opt")),
                *options,
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
            env={"PATH": "/usr/bin:/bin", "SECRET_OF_THE_AGENT": "never seen by functions"},
        )
        self._reader = threading.Thread(target=self.journal.read, args=(self.process.stdout,))
        self._reader.start()
        self.port: int = self.journal.wait(lambda e: e["type"] == "listening")["port"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self) -> None:
        """Wait for the zygote of an agent that was started with `--runtime`."""
        told = self.journal.wait(lambda e: e["type"] == "zygote" and e["state"] != "ended")
        assert told["state"] == "ready", told
        assert self.request("GET", "/ready").status == 200

    def wait_until_prepared(self) -> None:
        """Wait for the process of an agent that was started with `waiting`."""
        while self.request("GET", "/ready").status != 200:
            assert self.process.poll() is None

    def commands(self) -> list[str]:
        """Return the command lines of what it has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [Path(f"/proc/{pid}/cmdline").read_text() for pid in children.split()]

    def stop(self) -> int:
        """Close the agent's standard input, which ends it; give its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        self.process.stdout.close()
        return code

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        token: str = TOKEN,
    ) -> Reply:
        """Make one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_PATIENCE)
        try:
            all_headers = {"Authorization": f"Bearer {token}", **(headers or {})}
            connection.request(method, path, body, all_headers)
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def specialise(self, files: Files, **choices: Any) -> Reply:
        """Give the agent its revision from files; `choices` as for `specification`."""
        body = specification(write_package(self.folder, files), **choices)
        return self.take(self.request("POST", "/v1/specialise", json.dumps(body).encode()))

    def take(self, reply: Reply) -> Reply:
        """Note the first environment of one that was specialised."""
        if reply.status == 200:
            self.environment = reply.json["environments"][0]["id"]
        return reply

    def invoke(
        self,
        event: Any = None,
        *,
        request_id: str = "",
        environment: str = "",
        lease: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Invoke the function with an event, or with the bytes of `body`."""
        all_headers = {
            "Content-Type": "application/json",
            "Pilotlight-Environment": environment or self.environment,
            "Pilotlight-Lease": lease or self.lease,
            "Pilotlight-Request-Id": request_id or str(uuid.uuid4()),
            "Pilotlight-Function-Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn",
            **(headers or {}),
        }
        payload = json.dumps(event).encode() if body is None else body
        return self.request("POST", "/v1/invoke", payload, all_headers)


def waiting(runtime: str, memory: int = MEMORY) -> tuple[str, ...]:
    """Return the options of an agent that has a process waiting for a function of this size."""
    return "--runtime", runtime, "--memory", str(memory)


@contextmanager
def specialised(
    folder: Path, files: Files, *, forked: bool = False, **choices: Any
) -> Iterator[Agent]:
    """Run an agent that serves the files; `forked`: by processes that a zygote forks."""
    with Agent(folder, *(FORKING if forked else ())) as agent:
        if forked:
            agent.wait_until_ready()
        reply = agent.specialise(files, **choices)
        assert reply.status == 200, reply.body
        yield agent


def is_in_reserve(pid: int) -> bool:
    """Whether a process is a zygote or what one has forked ahead: neither has a log stream yet."""
    variables = b""
    with suppress(OSError):  # it may have ended since
        variables = Path(f"/proc/{pid}/environ").read_bytes()
    return b"AWS_LAMBDA_LOG_STREAM_NAME=" + b"-" * 128 in variables.split(b"\0")


def is_running(pid: int) -> bool:
    """Whether a process goes on running, given a moment to die of a signal that it has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([descriptor], [], [], 1.0)[0]
    finally:
        os.close(descriptor)


def write_package(folder: Path, files: Files) -> Path:
    """Write a zip archive of files into a folder; gives its path."""
    package = folder / "package.zip"
    package.write_bytes(pack(files))
    return package


def pack(files: Files) -> bytes:
    """Return a zip archive of files; one named `bootstrap` is executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if name == "bootstrap" else 0o644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by their relative names."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(found)}


def specification(
    package: Path,
    *,
    runtime: str = "python3.13",
    handler: str = "main.handler",
    memory: int = MEMORY,
    timeout: int = 3,
    ephemeral_storage: int = 512,
    environment: Mapping[str, str] | None = None,
    environments: int = 1,
    layers: Sequence[Path] = (),
    log_format: str = "Text",
    system_log_level: str | None = None,
    lifetime: int = 3600,
    calls_per_environment: int = 1,
    tenant_id: str | None = None,
    sha256: str = "",
    url: str = "",
    role: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the body of `POST /v1/specialise` for a package."""
    name = "fn"
    return {
        "revision": "0" * 64,
        "function": {
            "name": name,
            "version": "$LATEST",
            "arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}",
            "account": ACCOUNT,
            "region": "us-east-1",
            "runtime": runtime,
            "handler": handler,
            "memory": memory,
            "timeout": timeout,
            "ephemeralStorage": ephemeral_storage,
            "logGroup": f"/aws/lambda/{name}",
            "logFormat": log_format,
            "applicationLogLevel": "INFO",
            "systemLogLevel": system_log_level,
            "initializationType": "on-demand",
            "lifetime": lifetime,
            "callsPerEnvironment": calls_per_environment,
            "tenantId": tenant_id,
        },
        "environment": dict(environment or {}),
        "role": role,
        "credentials": {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
        },
        "code": {
            "sha256": sha256 or hashlib.sha256(package.read_bytes()).hexdigest(),
            "url": url or package.as_uri(),
            "ticket": "ticket",
        },
        "layers": [
            {
                "sha256": hashlib.sha256(layer.read_bytes()).hexdigest(),
                "url": layer.as_uri(),
                "ticket": "ticket",
            }
            for layer in layers
        ],
        "environments": environments,
    }


def _is_report(line: str) -> bool:
    return line.startswith("REPORT ") or '"platform.report"' in line
