"""What the gateway accepts, asynchronously, against what it invokes synchronously, in one run.

Both ways in turns, with wrk on the same cores; after each asynchronous turn what was answered with
202 is held against what ran, once the queue is empty. Then events at a modest rate say how long one
waits. `backlog` has the drain of many.
"""

from __future__ import annotations

import argparse
import http.client
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .recording import NOOP, RECORD, invocations, recording_platform

if TYPE_CHECKING:
    from .recording import Runs

CLIENTS = (2, 32, 128)
WARM_SECONDS = 5
DRAIN_SECONDS = 180.0
ACCEPTED = 202
LUA = (
    'wrk.method = "POST"\nwrk.body = "{{}}"\n'
    'wrk.headers["X-Amz-Invocation-Type"] = "{invocation_type}"\n'
)
OUTPUT = Path(__file__).parents[1] / "docs" / "performance.md"
MARKER = "<!-- asynchronous -->"


@dataclass(frozen=True)
class Turn:
    """One way under load for some seconds."""

    per_second: float
    answered: int
    """Answers of 2xx."""
    refused: int
    """Other answers, and connections that failed."""
    lost: int = 0
    """Events that were accepted and did not run."""


class Benchmark:
    """Measures one platform."""

    def __init__(self, endpoint: str, runs: Runs) -> None:
        self._endpoint = endpoint
        self._runs = runs

    def turns(self, clients: int, rounds: int, seconds: int) -> tuple[list[Turn], list[Turn]]:
        """Measure both ways in turns; gives the asynchronous and the synchronous ones."""
        for warm_up in (self._synchronous, self._asynchronous):  # every environment starts
            warm_up(clients, WARM_SECONDS)
        pairs = []
        for number in range(rounds):
            print(f"{clients} clients, round {number + 1}", file=sys.stderr)
            pairs.append(
                (
                    self._asynchronous(clients, seconds),
                    self._synchronous(clients, seconds),
                )
            )
        return [one for one, _ in pairs], [other for _, other in pairs]

    def waits(self, count: int, per_second: float) -> list[float]:
        """Send events at a rate; gives the milliseconds from sending to each run."""
        before = self._runs.wait_until_quiet()
        sent = self._send(count, 1 / per_second)
        self._runs.wait_for(before + count, DRAIN_SECONDS)
        began = self._runs.after(before)
        return [(began[request_id] - moment) * 1000 for request_id, moment in sent.items()]

    def _asynchronous(self, clients: int, seconds: int) -> Turn:
        before = self._runs.wait_until_quiet()
        turn = self._load("Event", RECORD, clients, seconds)
        self._runs.wait_for(before + turn.answered, DRAIN_SECONDS)
        self._runs.wait_until_quiet()
        ran = len(self._runs.after(before))
        return Turn(turn.per_second, turn.answered, turn.refused, max(0, turn.answered - ran))

    def _synchronous(self, clients: int, seconds: int) -> Turn:
        return self._load("RequestResponse", NOOP, clients, seconds)

    def _load(self, invocation_type: str, function: str, clients: int, seconds: int) -> Turn:
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(LUA.format(invocation_type=invocation_type))
            script.flush()
            report = subprocess.run(
                ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s",
                 "-s", script.name, invocations(self._endpoint, function)],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
        return _turn(report)

    def _send(self, count: int, interval: float) -> dict[str, float]:
        """Send events one by one; gives when, by request id."""
        url = urlsplit(invocations(self._endpoint, RECORD))
        connection = http.client.HTTPConnection(url.netloc, timeout=30)
        sent: dict[str, float] = {}
        due = time.monotonic()
        for _ in range(count):
            time.sleep(max(0.0, due - time.monotonic()))
            due += interval
            moment = time.time()
            connection.request("POST", url.path, b"{}", {"X-Amz-Invocation-Type": "Event"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != ACCEPTED:
                raise RuntimeError(f"{answer.status} instead of {ACCEPTED}")
            sent[answer.getheader("x-amzn-RequestId", "")] = moment
        connection.close()
        return sent


def _turn(report: str) -> Turn:
    """Read what wrk says."""
    [requests, elapsed] = re.findall(r"(\d+) requests in ([\d.]+)s", report)[0]
    refused = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", report)))
    broken = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", report)))
    answered = int(requests) - refused
    return Turn(answered / float(elapsed), answered, refused + broken)


def row(clients: int, accepted: list[Turn], invoked: list[Turn]) -> str:
    """Return a line of the table; the ratio is the median of the rounds' own."""
    ratio = statistics.median(
        a.per_second / b.per_second for a, b in zip(accepted, invoked, strict=True)
    )
    cells = [
        f"{statistics.median(turn.per_second for turn in accepted):.0f}",
        f"{statistics.median(turn.per_second for turn in invoked):.0f}",
        f"{ratio:.2f}",
        f"{sum(turn.answered for turn in accepted)}",
        f"{sum(turn.refused for turn in accepted)} / {sum(turn.refused for turn in invoked)}",
        f"{sum(turn.lost for turn in accepted)}",
    ]
    return f"| {clients} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and print; `--write` puts the table into docs/performance.md."""
    options = _options()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: apt-get install wrk")
    with (
        tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder,
        recording_platform(Path(folder)) as (platform, runs),
    ):
        benchmark = Benchmark(platform.endpoint, runs)
        lines = [
            row(clients, *benchmark.turns(clients, options.rounds, options.seconds))
            for clients in CLIENTS
        ]
        waits = benchmark.waits(options.events, options.rate)
    text = _text(lines, waits, options)
    print(text)
    if options.write:
        head, _, rest = OUTPUT.read_text().partition(MARKER)
        _, _, tail = rest.partition(MARKER)
        OUTPUT.write_text(f"{head}{MARKER}\n{text}\n{MARKER}{tail}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asynchronous", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--events", type=int, default=300, help="for the wait until the start")
    parser.add_argument("--rate", type=float, default=20.0, help="events a second, of those")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def _text(lines: list[str], waits: list[float], options: argparse.Namespace) -> str:
    cuts = statistics.quantiles(waits, n=100)
    return "\n".join(
        [
            (
                f"{datetime.now(UTC).date()}, `.venv/bin/python -m benchmarks.asynchronous`: "
                f"{options.rounds} rounds of {options.seconds} s each way, in turns."
            ),
            "",
            (
                "| clients | accepts/s | synchronous invokes/s | accepts ÷ invokes | accepted "
                "| not 2xx, events / invokes | lost |"
            ),
            "| --- | --- | --- | --- | --- | --- | --- |",
            *lines,
            "",
            (
                f"From sending an event to the first line of its handler, {len(waits)} events at "
                f"{options.rate:.0f} a second: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms."
            ),
        ]
    )


if __name__ == "__main__":
    main()
