"""Where a warm call's time goes, by process and by step: `python -m benchmarks.profile`.

wrk loads one function; each process's processor time and switches come from /proc, and py-spy
samples the stacks of gateway and agent. A step's share is of the samples in which its function was
at work, by itself or through what it called that is no step of its own.
"""

from __future__ import annotations

import argparse
import collections
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .run import measure
from .targets import TICKS, Target, pilotlight, process_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 500
"""Samples a second of a process."""
OUR_CODE = re.compile(r"pilotlight_|pilotlight/|aiohttp")
KINDS = {"pilotlight dev": "gateway", "pilotlight_agent": "agent", "--listen": "agent"}
"""What a process is, by what its command line holds; else a runtime."""


@dataclass(frozen=True)
class Usage:
    """What a process has used by now."""

    user: float
    """Seconds, as `system` is."""
    system: float
    switches: int

    def since(self, before: Usage) -> Usage:
        """Return the difference."""
        return Usage(
            self.user - before.user, self.system - before.system, self.switches - before.switches
        )


def usage(pid: int) -> Usage:
    """Read what a process has used; its threads' switches included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    switches = sum(
        int(number)
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for number in re.findall(
            r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.MULTILINE
        )
    )
    return Usage(int(fields[11]) / TICKS, int(fields[12]) / TICKS, switches)


def kind_of(pid: int) -> str:
    """Say what a process of the local platform is."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return next((kind for part, kind in KINDS.items() if part in command), "runtime")


def by_process(target: Target, connections: int, seconds: int) -> list[str]:
    """Load the target; returns the rows of its processes."""
    before = dict(_usages(target))
    sample = measure(target, connections, seconds)
    calls = sample.per_second * seconds
    totals: dict[str, list[float]] = collections.defaultdict(lambda: [0.0, 0.0, 0.0])
    for pid, now in _usages(target):
        used = now.since(before[pid]) if pid in before else now
        for index, value in enumerate((used.user * 1e6, used.system * 1e6, used.switches)):
            totals[kind_of(pid)][index] += value / calls
    rows = [f"| {kind} | {u:.0f} | {s:.0f} | {w:.2f} |" for kind, (u, s, w) in totals.items()]
    head = f"| {connections} connections, {sample.per_second:.0f}/s | user µs | system µs | waits |"
    return [head, "| --- | --- | --- | --- |", *rows]


def by_step(target: Target, connections: int, seconds: int, most: int) -> list[str]:
    """Load the target and sample its processes; returns the rows of their steps."""
    with ThreadPoolExecutor() as pool, tempfile.TemporaryDirectory() as folder:
        load = pool.submit(measure, target, connections, seconds + 2)
        files = {pid: Path(folder, str(pid)) for pid in _busiest(target)}
        samplers = [_sampler(pid, file, seconds) for pid, file in files.items()]
        for sampler in samplers:
            sampler.wait()
        load.result()
        rows = []
        for pid, file in files.items():
            rows += _steps(kind_of(pid), file.read_text(), most)
    return ["| process | step | share of its samples |", "| --- | --- | --- |", *rows]


def _usages(target: Target) -> Iterator[tuple[int, Usage]]:
    for pid in _processes(target):
        try:
            yield pid, usage(pid)
        except OSError:  # it has ended
            continue


def _processes(target: Target) -> list[int]:
    return process_tree(target.process.pid) if target.process else []


def _busiest(target: Target) -> list[int]:
    """Return the gateway's process and that of the agent which has worked most."""
    found: dict[str, tuple[float, int]] = {}
    for pid, used in _usages(target):
        found[kind_of(pid)] = max(found.get(kind_of(pid), (0.0, 0)), (used.user, pid))
    return [found[kind][1] for kind in ("gateway", "agent") if kind in found]


def _sampler(pid: int, file: Path, seconds: int) -> subprocess.Popen[bytes]:
    program = shutil.which("py-spy") or str(Path(sys.executable).with_name("py-spy"))
    options = [
        "--gil",
        "--rate",
        str(RATE),
        "--duration",
        str(seconds),
        "--format",
        "raw",
        "--nonblocking",
    ]
    return subprocess.Popen(
        [program, "record", "--pid", str(pid), "--output", file, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _steps(kind: str, stacks: str, most: int) -> list[str]:
    """Count samples by the innermost function of ours."""
    counts: collections.Counter[str] = collections.Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[_step(stack.split(";"))] += int(count)
    total = max(sum(counts.values()), 1)
    return [
        f"| {kind} | `{step}` | {count / total:.1%} |" for step, count in counts.most_common(most)
    ]


def _step(frames: list[str]) -> str:
    inner = (frame for frame in reversed(frames) if OUR_CODE.search(frame))
    name = next(inner, frames[-1])
    function, _, place = name.partition(" (")
    return f"{function} {place.rpartition(':')[0].rpartition('site-packages/')[2]}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=25, help="how many of each process")
    options = parser.parse_args()
    for program in ("wrk", "py-spy"):
        if not (shutil.which(program) or Path(sys.executable).with_name(program).exists()):
            sys.exit(f"{program} is needed: apt-get install wrk, pip install py-spy")
    target, _ = pilotlight()
    target.start()
    try:
        for connections in (1, 32):
            measure(target, connections, 5)  # every environment starts
            print(*by_process(target, connections, options.seconds), "", sep="\n")
        print(*by_step(target, 1, options.seconds, options.steps), sep="\n")
    finally:
        target.stop()


if __name__ == "__main__":
    main()
