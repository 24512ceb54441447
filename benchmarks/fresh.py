"""Fresh functions on a running platform, and honest first calls of them.

An honest cold start: no environment of the function exists before the call, its process starts
after the request, and the REPORT line has an Init Duration. The platform's answer is checked for
all that it can tell. Requests are signed before the clock starts and sent on connections that are
open already, so that the client's own work is not measured. `cluster` says what is called when.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import threading
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ECHO = "def handler(event, context):\n    return event\n"
EVENT = b'{"a": 1}'
OK = 200
ACTIVE_SECONDS = 60.0


@dataclass(frozen=True)
class First:
    """What became of a call; times on the clock of `time.perf_counter`."""

    began: float
    ended: float
    init_ms: float | None
    """Init Duration of the REPORT line; None where an environment was there already."""
    problem: str | None = None

    @property
    def ms(self) -> float:
        """Milliseconds from sending the request until the whole answer was there."""
        return (self.ended - self.began) * 1000


@dataclass(frozen=True)
class Platform:
    """A gateway's address and an access key."""

    api: Any
    """boto3's client of it."""
    endpoint: str
    access_key: str
    secret_key: str

    def make(
        self, count: int, *, memory: int = 128, runtime: str = "python3.13", source: str = ECHO
    ) -> list[str]:
        """Make functions and wait until all are Active; gives their names."""
        names = [f"fresh-{uuid.uuid4().hex[:12]}" for _ in range(count)]

        def make(name: str) -> None:
            files = {"index.py": f"# {name}\n{source}"}
            self.make_of(name, memory, runtime, "index.handler", files)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, names))
        return names

    def delete(self, names: Sequence[str]) -> None:
        """Delete functions, and with them their pods."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self.api.delete_function(FunctionName=name), names))

    def call(self, names: Sequence[str], *, stagger: float = 0.0) -> list[First]:
        """Call all at once, each on a connection of its own; `stagger` seconds before the last."""
        start = threading.Barrier(len(names))
        last = len(names) - 1

        def one(number: int) -> First:
            connection, request = self._open(), self._sign(names[number])
            start.wait()
            if number == last and stagger:
                time.sleep(stagger)
            return _send(connection, request)

        with ThreadPoolExecutor(len(names)) as pool:
            return list(pool.map(one, range(len(names))))

    def make_of(
        self,
        name: str,
        memory: int,
        runtime: str,
        handler: str,
        files: Mapping[str, str | bytes],
    ) -> None:
        """Make a function of files that nobody else has, and wait until it is Active."""
        self.api.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler=handler,
            Role="arn:aws:iam::000000000000:role/bench",
            MemorySize=memory,
            Timeout=30,
            Code={"ZipFile": package({**files, "name": name})},
        )
        deadline = time.monotonic() + ACTIVE_SECONDS
        while self.api.get_function_configuration(FunctionName=name)["State"] != "Active":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} did not become Active")
            time.sleep(0.05)

    def _open(self) -> http.client.HTTPConnection:
        address = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        connection.connect()
        return connection

    def _sign(self, name: str) -> AWSRequest:
        request = AWSRequest(
            "POST",
            f"{self.endpoint}/2015-03-31/functions/{name}/invocations",
            data=EVENT,
            headers={"X-Amz-Log-Type": "Tail", "Content-Type": "application/json"},
        )
        credentials = Credentials(self.access_key, self.secret_key)
        SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
        return request


def package(files: Mapping[str, str | bytes]) -> bytes:
    """Zip files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def _send(connection: http.client.HTTPConnection, request: AWSRequest) -> First:
    began = time.perf_counter()
    try:
        path = urlsplit(request.url).path
        connection.request("POST", path, EVENT, dict(request.headers.items()))
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return First(began, time.perf_counter(), None, repr(error))
    ended = time.perf_counter()
    connection.close()
    log = base64.b64decode(answer.headers.get("X-Amz-Log-Result", "")).decode()
    found = re.search(r"Init Duration: ([\d.]+) ms", log)
    right = answer.status == OK and json.loads(body) == json.loads(EVENT)
    problem = None if right else f"{answer.status} {body.decode()}"
    return First(began, ended, float(found.group(1)) if found else None, problem)
