"""What the agent and the runtime take of a warm call: agents asked directly, as a gateway does.

Each environment has a connection of its own, each agent a reader of its events. CPU
time is the scheduler's own account of the agents and of their runtimes, in nanoseconds. With
`--against` the same is measured of another checkout's agents by turns, round by round, so that what
disturbs the machine disturbs both.
"""

from __future__ import annotations

import argparse
import select
import socket
import statistics
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight_agent.processes import tree

from .fork import TOKEN, agent, is_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .fork import Agent

HERE = Path(__file__).parents[1]
EVENT = b'{"key": "value"}'
WARM_SECONDS = 0.5
READ_SIZE = 65_536
PATIENCE_MS = 60_000
REQUEST = (
    "POST /v1/invoke HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    "Pilotlight-Environment: {environment}\r\nPilotlight-Lease: {gateway}/7\r\n"
    "Pilotlight-Deadline-Ms: %d\r\nPilotlight-Request-Id: 1fba3498-0000-4000-8000-%012d\r\n"
    "Pilotlight-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:noop\r\n"
    "Pilotlight-Trace-Id: Root=1-6748a0b0-0123456789abcdef%08d\r\n"
    "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)
EVENTS = (
    "GET /v1/events?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
)


@dataclass(frozen=True)
class Sample:
    """One round: calls a second, milliseconds, and microseconds of CPU time a call."""

    per_second: float
    p50: float
    p99: float
    agent: float
    runtime: float


class Caller:
    """One connection to one environment of an agent, with one call under way at most."""

    def __init__(self, port: int, environment: str) -> None:
        """Connect."""
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = REQUEST.format(
            port=port,
            token=TOKEN,
            environment=environment,
            gateway=uuid.uuid4().hex,
            length=len(EVENT),
        )
        self.request = request.encode() + EVENT
        self.calls = 0
        self.begun = 0.0

    def call(self) -> None:
        """Begin a call."""
        self.calls += 1
        self.begun = time.perf_counter()
        deadline = time.time() * 1000 + PATIENCE_MS
        self.connection.sendall(self.request % (deadline, self.calls, self.calls))

    def hear(self) -> float:
        """Read the answer; gives the seconds it took."""
        answer = self.connection.recv(READ_SIZE)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert answer.endswith(EVENT), answer
        return time.perf_counter() - self.begun


class Side:
    """A checkout's agents: connections to their environments and to their events, and processes."""

    def __init__(self) -> None:
        """Begin with none."""
        self.callers: list[Caller] = []
        self.events: list[socket.socket] = []
        self.agents: list[int] = []
        self.runtimes: list[int] = []

    def add(self, started: Agent, environments: int) -> None:
        """Give an agent the function and as many environments, and connect to each."""
        identities = [started.specialise()]
        if environments > 1:
            identities += started.start_environments(environments - 1)
        for identity in identities:
            started.invoke(identity)
        port, pid = started.connection.port, started.process.pid
        self.callers += [Caller(port, identity) for identity in identities]
        self.events.append(socket.create_connection(("127.0.0.1", port)))
        self.events[-1].sendall(EVENTS.format(token=TOKEN).encode())
        self.agents.append(pid)
        self.runtimes += runtimes_of(pid)

    def close(self) -> None:
        """Close all connections."""
        for connection in (*(each.connection for each in self.callers), *self.events):
            connection.close()


def runtimes_of(pid: int) -> list[int]:
    """Return the processes of an agent's environments; those that a zygote forks come and go."""
    found = []
    for each in tree.descendants(pid):
        with suppress(ProcessLookupError, FileNotFoundError):
            if is_environment(each):
                found.append(each)
    return found


@contextmanager
def agents(checkout: Path, count: int, environments: int, python: Path) -> Iterator[Side]:
    """Run so many of a checkout's agents, each with so many environments."""
    side = Side()
    with ExitStack() as stack:
        stack.callback(side.close)
        for _ in range(count):
            side.add(stack.enter_context(agent(python, checkout)), environments)
        yield side


def measure(side: Side, seconds: float) -> Sample:
    """Keep all connections busy for a while."""
    load(side, WARM_SECONDS)
    before = used(side.agents), used(side.runtimes)
    began = time.perf_counter()
    spent = load(side, seconds)
    elapsed = time.perf_counter() - began
    after = used(side.agents), used(side.runtimes)
    percentiles = statistics.quantiles(spent, n=100, method="inclusive")
    return Sample(
        per_second=len(spent) / elapsed,
        p50=percentiles[49] * 1000,
        p99=percentiles[98] * 1000,
        agent=(after[0] - before[0]) / len(spent) / 1000,
        runtime=(after[1] - before[1]) / len(spent) / 1000,
    )


def load(side: Side, seconds: float) -> list[float]:
    """Call for a while, each connection again as soon as it is answered; gives seconds a call."""
    poll = select.epoll()
    waiting = {each.connection.fileno(): each for each in side.callers}
    events = {each.fileno(): each for each in side.events}
    for descriptor in (*waiting, *events):
        poll.register(descriptor, select.EPOLLIN)
    spent: list[float] = []
    until = time.perf_counter() + seconds
    for each in side.callers:
        each.call()
    while waiting:
        for descriptor, _ in poll.poll():
            if (caller := waiting.get(descriptor)) is None:
                events[descriptor].recv(READ_SIZE)
                continue
            spent.append(caller.hear())
            if time.perf_counter() < until:
                caller.call()
            else:
                del waiting[descriptor]
    poll.close()
    return spent


def used(pids: list[int]) -> int:
    """Return the nanoseconds that processes of one thread each have used."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hop", description=__doc__)
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--environments", type=int, default=1, help="of each agent")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--python", type=Path, default=HERE / ".venv/functions/bin/python")
    parser.add_argument("--against", type=Path, help="another checkout")
    given = parser.parse_args()
    checkouts = [HERE, *([given.against.absolute()] if given.against else [])]
    samples: list[list[Sample]] = [[] for _ in checkouts]
    with ExitStack() as stack:
        sides = [
            stack.enter_context(
                agents(each, given.agents, given.environments, given.python.absolute())
            )
            for each in checkouts
        ]
        for number in range(given.rounds):
            order = list(enumerate(sides))
            for index, side in order if number % 2 == 0 else reversed(order):
                samples[index].append(measure(side, given.seconds))
    print(
        f"| {given.agents * given.environments} at once, {given.agents} agents | calls/s "
        "| p50 ms | p99 ms | agent µs | runtime µs |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for checkout, rounds in zip(checkouts, samples, strict=True):
        print(f"| {checkout.name} | {cells(rounds)} |")


def cells(rounds: list[Sample]) -> str:
    """Return the medians of the rounds."""
    digits = {"per_second": 0, "p50": 3, "p99": 2, "agent": 1, "runtime": 1}
    return " | ".join(
        f"{statistics.median(getattr(sample, name) for sample in rounds):.{places}f}"
        for name, places in digits.items()
    )


if __name__ == "__main__":
    main()
