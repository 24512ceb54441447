"""What each managed language costs: a first call with and without a pod that waits, warm, idle.

    python -m benchmarks.runtimes [--starts 20] [--calls 2000] [--also java21 ruby3.3]

Each agent is a process of this machine, asked directly, without a gateway. From nothing: the agent
starts, too. Waiting: the agent is up and has no function yet, as a pod of the pool.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.runtimes.languages import ASKED_FOR
from tests.support.agent import FORKING, TOKEN, Agent, waiting
from tests.support.node import node_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PYTHON = {"index.py": "def handler(event, context):\n    return event\n"}
NODE = {"index.mjs": "export const handler = async (event) => event;\n"}
TEMPORARY = ("--temporary", "/tmp")
"""As in pods: no Java waits for a function with a folder of its own."""
EVENT = b'{"key": "value"}'


class Language(NamedTuple):
    """A runtime, how an agent that waits for it is started, and a function that echoes."""

    name: str
    runtime: str
    options: Sequence[str]
    files: Mapping[str, str | bytes]
    interpreter: str = sys.executable
    handler: str = "index.handler"

    def agent(self, folder: Path, *, waits: bool) -> Agent:
        """Start an agent; one that waits is ready to be specialised."""
        agent = Agent(folder, *(self.options if waits else ()), python=self.interpreter)
        if waits and self.options == FORKING:
            agent.wait_until_ready()
        elif waits:
            agent.wait_until_prepared()
        return agent

    def first_call(self, agent: Agent) -> None:
        """Specialise and invoke."""
        agent.specialise(self.files, runtime=self.runtime, handler=self.handler)
        assert agent.invoke({}).json == {}


def languages(also: Sequence[str]) -> list[Language]:
    """Return Python, Node.js, and those of the contract's that are asked for."""
    node = [
        Language(runtime, runtime, waiting(runtime), NODE, node_of(runtime))
        for runtime in ("nodejs22.x", "nodejs24.x")
    ]
    more = [
        Language(
            one.name,
            one.runtime,
            (*waiting(one.runtime), *TEMPORARY),
            one.files("echo"),
            one.interpreter,
            one.handler("echo"),
        )
        for one in ASKED_FOR
        if one.name in also
    ]
    return [Language("python3.13", "python3.13", FORKING, PYTHON), *node, *more]


def start(language: Language, *, waits: bool) -> float:
    """Return the milliseconds of a first call."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        agent = language.agent(Path(folder), waits=waits)
        try:
            if waits:
                began = time.perf_counter()
            language.first_call(agent)
            return (time.perf_counter() - began) * 1000
        finally:
            agent.stop()


def warm(language: Language, calls: int) -> tuple[float, float, int]:
    """Return p50 and p99 of warm calls on one connection in ms, and the idle process's kB (PSS)."""
    with tempfile.TemporaryDirectory() as folder:
        agent = language.agent(Path(folder), waits=True)
        try:
            language.first_call(agent)
            idle = _proportional_kilobytes(agent)
            connection = http.client.HTTPConnection("127.0.0.1", agent.port)
            took = sorted(_call(connection, agent) for _ in range(calls))
            connection.close()
            return statistics.median(took), took[int(len(took) * 0.99)], idle
        finally:
            agent.stop()


def _call(connection: http.client.HTTPConnection, agent: Agent) -> float:
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "Pilotlight-Environment": agent.environment,
        "Pilotlight-Lease": agent.lease,
        "Pilotlight-Request-Id": "11111111-0000-4000-8000-000000000000",
        "Pilotlight-Function-Arn": "arn",
    }
    began = time.perf_counter()
    connection.request("POST", "/v1/invoke", EVENT, headers)
    answer = connection.getresponse().read()
    took = (time.perf_counter() - began) * 1000
    assert json.loads(answer) == json.loads(EVENT)
    return took


def _proportional_kilobytes(agent: Agent) -> int:
    """Return the memory of the youngest process below the agent, shared pages by their share."""
    children = Path(f"/proc/{agent.process.pid}/task/{agent.process.pid}/children").read_text()
    rollup = Path(f"/proc/{children.split()[-1]}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--also", nargs="*", default=[], help="such as java21")
    chosen = parser.parse_args()
    print("| runtime | first call from nothing | from a pod that waits | warm p50 | p99 | idle |")
    print("| --- | --- | --- | --- | --- | --- |")
    for language in languages(chosen.also):
        nothing, waiting = (
            statistics.median(start(language, waits=waits) for _ in range(chosen.starts))
            for waits in (False, True)
        )
        p50, p99, idle = warm(language, chosen.calls)
        print(
            f"| {language.name} | {nothing:.0f} ms | {waiting:.0f} ms "
            f"| {p50:.2f} ms | {p99:.2f} ms | {idle / 1024:.0f} MB |"
        )


if __name__ == "__main__":
    main()
