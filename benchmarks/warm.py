"""Warm calls on a real cluster, signed and not: `python -m benchmarks.warm [--write]`.

Installs the chart (KUBECONFIG, the images of `make images`) and loads the gateways' NodePort with
wrk, on the node itself. Every request of a signed kind is another one, as clients send them: two
thousand are signed before each round. The processor time is that of the whole machine, so the load
generator, the database, logs and kubelet are in it. Kinds are measured one after the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.cluster import installed, kubectl, wait_until
from tests.support.gateway import open_url

from .fresh import Platform
from .run import Sample, measure, publish
from .targets import EVENT, NOOP, TICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.cluster import Installation

MARKER = "<!-- warm -->"
SHARED = 16
"""Environments of a pod where they share it."""
WARM_SECONDS = 24
"""Until 32 connections have their environments: pods are made eight at a time."""
REQUESTS = 2000
"""More than heads are remembered."""
LUA = """
local requests, number = {{ {} }}, 0
request = function()
  number = number % #requests + 1
  return requests[number]
end
"""


@dataclass(frozen=True)
class Kind:
    """A way of calling the function."""

    name: str
    path: str
    installation: Installation
    signed: bool

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"{self.installation.endpoint}{self.path}"

    def cpu_seconds(self) -> float:
        """Return the processor time that the whole machine has used."""
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        user, nice, system, _, _, irq, softirq, _ = map(int, words)
        return (user + nice + system + irq + softirq) / TICKS

    @property
    def script(self) -> str:
        """What wrk sends, one after the other, signed now."""
        count = REQUESTS if self.signed else 1
        return LUA.format(",".join(json.dumps(self._request(number)) for number in range(count)))

    def _request(self, number: int) -> str:
        headers = {"Content-Type": "application/json", "X-Number": str(number)}
        request = AWSRequest("POST", self.url, data=EVENT, headers=headers)
        if self.signed:
            keys = Credentials(self.installation.access_key, self.installation.secret_key)
            SigV4Auth(keys, "lambda", "us-east-1").add_auth(request)
        said = {"Host": urlsplit(self.url).netloc, "Content-Length": str(len(EVENT))}
        lines = [
            f"{name}: {value}" for name, value in (said | dict(request.headers.items())).items()
        ]
        head = "\r\n".join([f"POST {self.path} HTTP/1.1", *lines])
        return f"{head}\r\n\r\n{EVENT.decode()}"


@contextmanager
def invoked(installation: Installation, share: int = 1) -> Iterator[Kind]:
    """A function that is invoked, of which so many environments share a pod."""
    with _function(installation) as name:
        if share > 1:
            patch = json.dumps({"spec": {"environmentsPerPod": share}})
            account = installation.account
            kubectl("patch", "fn", name, "-n", account, "--type", "merge", "-p", patch)
        path = f"/2015-03-31/functions/{name}/invocations"
        shared = f", {share} environments a pod" if share > 1 else ""
        yield Kind(f"Invoke, signed{shared}", path, installation, signed=True)


@contextmanager
def visited(installation: Installation, auth: str) -> Iterator[Kind]:
    """A function behind a URL that wants a signature, or none."""
    with _function(installation) as name:
        if auth == "NONE":
            open_url(installation.client(), name)
        else:
            installation.client().create_function_url_config(FunctionName=name, AuthType=auth)
        path, signed = f"/-/fn/{installation.account_id()}/{name}/", auth == "AWS_IAM"
        yield Kind(
            f"function URL, {'signed' if signed else 'open'}", path, installation, signed=signed
        )


@contextmanager
def _function(installation: Installation) -> Iterator[str]:
    """A function of its own, which leaves no pods behind: a node has room for a hundred."""
    keys = installation.access_key, installation.secret_key
    platform = Platform(installation.client(), installation.endpoint, *keys)
    (name,) = platform.make(1, memory=256, source=NOOP)
    yield name
    platform.delete([name])
    wait_until(lambda: not installation.pods(name), "its pods are gone", 120)


KINDS: tuple[Callable[[Installation], AbstractContextManager[Kind]], ...] = (
    invoked,
    partial(invoked, share=SHARED),
    partial(visited, auth="AWS_IAM"),
    partial(visited, auth="NONE"),
)


def run(kind: Kind, connections: int, rounds: int, seconds: int) -> list[Sample]:
    """Measure a kind round by round, once all its environments are there."""
    samples = [load(kind, connections, WARM_SECONDS if connections > 1 else seconds)]
    samples += [load(kind, connections, seconds) for _ in range(rounds)]
    return samples[1:]


def load(kind: Kind, connections: int, seconds: int) -> Sample:
    """Load a kind for so many seconds."""
    sample = measure(kind, connections, seconds)
    print(f"c={connections}: {kind.name} {sample}", file=sys.stderr)
    return sample


def row(kind: Kind, gateways: int, connections: int, taken: list[Sample]) -> str:
    """Return a row in Markdown."""
    cells = [
        f"{statistics.median(getattr(one, name) for one in taken):.{digits}f}"
        for name, digits in (("per_second", 0), ("p50", 2), ("p99", 2), ("cpu_micros", 0))
    ]
    failed = sum(one.errors for one in taken)
    return f"| {kind.name} | {gateways} | {connections} | {' | '.join(cells)} | {failed} |"


def main() -> None:
    """Measure and print; `--write` puts the table into docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--gateways", type=int, nargs="+", default=[2])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = []
    with installed() as installation:
        for gateways in options.gateways:
            scale(installation, gateways)
            for make in KINDS:
                with make(installation) as kind:
                    for connections in (1, 32):
                        samples = run(kind, connections, options.rounds, options.seconds)
                        rows.append(row(kind, gateways, connections, samples))
    head = "| | gateways | connections | calls/s | p50 ms | p99 ms | machine's µs a call | failed |"
    text = "\n".join([head, "| --- | --- | --- | --- | --- | --- | --- | --- |", *rows])
    print(text)
    if options.write:
        day, rounds = datetime.now(UTC).date(), options.rounds
        taken = f"rounds of {options.seconds} s"
        note = f"{day}, `python -m benchmarks.warm --rounds {rounds}`: {taken}."
        publish(MARKER, f"{note}\n\n{text}")


def scale(installation: Installation, gateways: int) -> None:
    """Have so many gateways, and wait until they are all ready."""
    of = ("-n", installation.namespace)
    kubectl("scale", "deployment/pilotlight-gateway", f"--replicas={gateways}", *of)
    kubectl("rollout", "status", "deployment/pilotlight-gateway", *of, "--timeout=120s")
    selector = ("-l", "app.kubernetes.io/component=gateway")
    wait_until(
        lambda: len(kubectl("get", "pods", *of, *selector, "-o", "name").split()) == gateways,
        f"{gateways} gateways",
    )


if __name__ == "__main__":
    main()
