"""Warm invocations side by side in one run: `make bench`.

The load generator is wrk with one thread, on the same cores as everything else, so only ratios mean
anything. Targets are measured in turn, round by round; a ratio is the median of the rounds' own.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .targets import Target, aiohttp_proxy, call, functions_framework, pilotlight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
OUTPUT = Path(__file__).parents[1] / "docs" / "performance.md"
MARKER = "<!-- bench -->"


@dataclass(frozen=True)
class Sample:
    """One target in one round."""

    per_second: float
    p50: float
    p99: float
    cpu_micros: float
    errors: int


class Measured(Protocol):
    """What is loaded, and whose processor time counts."""

    @property
    def url(self) -> str:
        """Where it answers."""
        ...

    @property
    def script(self) -> str:
        """What wrk sends."""
        ...

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        ...


def measure(target: Measured, connections: int, seconds: int) -> Sample:
    """Load a target for some seconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(target.script)
        script.flush()
        before = target.cpu_seconds()
        report = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name,
             target.url],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        used = target.cpu_seconds() - before
    requests = int(_find(r"(\d+) requests in", report))
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    return Sample(
        per_second=float(_find(r"Requests/sec:\s+([\d.]+)", report)),
        p50=_milliseconds(_find(r"\n\s+50%\s+(\S+)", report)),
        p99=_milliseconds(_find(r"\n\s+99%\s+(\S+)", report)),
        cpu_micros=used / max(requests, 1) * 1e6,
        errors=int(failed.group(1)) if failed else 0,
    )


def run(targets: list[Target], connections: int, rounds: int, seconds: int) -> list[list[Sample]]:
    """Measure all targets in turn, round by round; gives the samples of each."""
    samples: list[list[Sample]] = [[] for _ in targets]
    for target in targets:
        measure(target, connections, 8)  # every environment starts
    for number in range(rounds):
        order = list(enumerate(targets))
        for index, target in order if number % 2 == 0 else reversed(order):
            samples[index].append(measure(target, connections, seconds))
            print(f"c={connections} round {number + 1}: {target.name}", file=sys.stderr)
    return samples


def table(targets: list[Target], samples: list[list[Sample]], connections: int) -> str:
    """Return a table in Markdown, the ratios against the first target."""
    lines = [
        (
            f"| {connections} connection{'s' * (connections > 1)} | calls/s | p50 ms | p99 ms "
            "| CPU µs/call | calls/s of Pilotlight ÷ this | p50 of Pilotlight ÷ this |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    ours = samples[0]
    for target, theirs in zip(targets, samples, strict=True):
        pairs = list(zip(ours, theirs, strict=True))
        speed = statistics.median(a.per_second / b.per_second for a, b in pairs)
        latency = statistics.median(a.p50 / b.p50 for a, b in pairs)
        cells = [
            _median(theirs, "per_second", 0), _median(theirs, "p50", 2),
            _median(theirs, "p99", 2), _median(theirs, "cpu_micros", 0),
            f"{speed:.2f}", f"{latency:.2f}",
        ]  # fmt: skip
        lines.append(f"| {target.name} | {' | '.join(cells)} |")
        if any(sample.errors for sample in theirs):
            lines.append(f"| …of it errors | {sum(sample.errors for sample in theirs)} |")
    return "\n".join(lines)


def tables(
    targets: list[Target], options: argparse.Namespace, loads: Sequence[int] = (1, 32)
) -> str:
    """Measure targets that run, with so many connections; gives a table of each."""
    rounds, seconds = options.rounds, options.seconds
    return "\n\n".join(
        table(targets, run(targets, connections, rounds, seconds), connections)
        for connections in loads
    )


def compare(
    module: str,
    description: str | None,
    make: Callable[[], list[Target]],
    loads: Sequence[int] = (1, 32),
) -> None:
    """Be the program of a module that measures targets beside each other, and may publish that."""
    options = parser(module, description).parse_args()
    targets = make()
    try:
        for target in targets:
            target.start()
        text = tables(targets, options, loads)
    finally:
        for target in targets:
            target.stop()
    print(text)
    if options.write:
        command = f"python -m benchmarks.{module} --rounds {options.rounds}"
        publish(f"<!-- {module} -->", f"{datetime.now(UTC).date()}, `{command}`.\n\n{text}")


def parser(module: str, description: str | None, rounds: int = 5) -> argparse.ArgumentParser:
    """Return what reads a measurement's options; ends the program where there is no wrk."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: apt-get install wrk")
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=description)
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--seconds", type=int, default=3)
    made.add_argument("--write", action="store_true")
    return made


def publish(marker: str, text: str) -> None:
    """Put a text between two markers of docs/performance.md."""
    head, _, rest = OUTPUT.read_text().partition(marker)
    _, _, tail = rest.partition(marker)
    OUTPUT.write_text(f"{head}{marker}\n{text}\n{marker}{tail}")


def main() -> None:
    """Measure and print; `--write` puts the tables into docs/performance.md."""
    options = _options()
    framework = functions_framework()
    managed, ric = pilotlight()
    proxy = aiohttp_proxy(framework)
    targets, started = [managed, framework, proxy, ric], [framework, proxy, managed]
    if options.against:
        other, _ = pilotlight(options.against)
        other.name = f"Pilotlight, {options.against.name}"
        targets.append(other)
        started.append(other)
    try:
        for target in started:
            target.start()
        ric.process = managed.process
        call(ric.url)
        text = tables(targets, options)
    finally:
        for target in started:
            target.stop()
    print(text)
    if options.write:
        _write(text, options)


def _options() -> argparse.Namespace:
    made = parser("run", __doc__, rounds=7)
    made.add_argument("--against", type=Path, help="another checkout, to be measured beside")
    return made.parse_args()


def _write(text: str, options: argparse.Namespace) -> None:
    day = datetime.now(UTC).date()
    rounds = f"{options.rounds} rounds of {options.seconds} s, interleaved"
    note = f"{day}, `python -m benchmarks.run --rounds {options.rounds}`: {rounds}."
    publish(MARKER, f"{note}\n\n{text}")


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"wrk said nothing like {pattern!r}:\n{text}")
    return found.group(1)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # wrk's form
    return float(number) * UNITS[unit]


def _median(samples: list[Sample], name: str, digits: int) -> str:
    return f"{statistics.median(getattr(sample, name) for sample in samples):.{digits}f}"


if __name__ == "__main__":
    main()
