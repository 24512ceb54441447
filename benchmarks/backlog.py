"""Drains a long backlog on a local platform: events a second, and how much memory that takes.

The events stand in the queue before the platform starts, and all become due at one moment, when it
runs and is warm; so what its memory grows by is the backlog's doing. Part of `make soak`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from pilotlight_gateway.event_queue.interface import Event
from pilotlight_gateway.event_queue.sqlite import SqliteEventQueue

from .recording import RECORD, invocations, recording_platform

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import Counts

GROWTH_BAR = 50.0
"""Megabytes (docs/performance.md)."""
FILL_PER_SECOND = 4000
START_SECONDS = 15.0
WARM_UP = 200
SLOWEST = 50
"""Events a second, below which it is given up."""


@dataclass(frozen=True)
class Drain:
    """What draining took."""

    per_second: float
    grown: float
    """Megabytes of resident memory at the most, above what a warm platform had."""
    lost: int
    counts: Counts

    @property
    def fine(self) -> bool:
        """Whether nothing was lost, and memory stayed bounded."""
        return not self.lost and self.counts.conserved and self.grown < GROWTH_BAR


def drain(folder: Path, count: int) -> Drain:
    """Fill a queue, let it become due under a platform, and wait until it is empty."""
    path = folder / "state" / "events.sqlite"
    path.parent.mkdir()
    due_at = time.time() + START_SECONDS + count / FILL_PER_SECOND
    wanted = asyncio.run(_fill(path, count, due_at))
    with recording_platform(folder) as (platform, runs):
        warm = WARM_UP
        _warm_up(platform.endpoint, warm)
        if not runs.wait_for(warm, 60.0) or time.time() > due_at:
            sys.exit("the platform was not warm when the backlog became due")
        before = _resident(platform.pid, "VmRSS")
        _wait_until(due_at)
        began = time.monotonic()
        runs.wait_for(warm + count, count / SLOWEST)
        elapsed = time.monotonic() - began
        grown = _resident(platform.pid, "VmHWM") - before
    counts = asyncio.run(_counts(path))
    return Drain(count / elapsed, grown, len(wanted - set(runs.after(0))), counts)


async def _fill(path: Path, count: int, due_at: float) -> set[str]:
    """Put events into a queue that nobody serves yet; gives their ids."""
    queue = SqliteEventQueue(path)
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for first in range(0, count, 1000):
        await queue.enqueue(*(_event(one, due_at) for one in ids[first : first + 1000]))
    await queue.close()
    return set(ids)


async def _counts(path: Path) -> Counts:
    queue = SqliteEventQueue(path)
    try:
        return await queue.counts()
    finally:
        await queue.close()


def _event(request_id: str, due_at: float) -> Event:
    return Event(
        id=request_id,
        account="000000000000",
        namespace="default",
        function=RECORD,
        payload=b"{}",
        enqueued_at=due_at,
        due_at=due_at,
        expires_at=due_at + 21_600,
        hold_seconds=120.0,
    )


def _warm_up(endpoint: str, count: int) -> None:
    url = invocations(endpoint, RECORD)
    for _ in range(count):
        headers = {"X-Amz-Invocation-Type": "Event"}
        urlopen(Request(url, b"{}", headers), timeout=30).close()


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


def _resident(pid: int, name: str) -> float:
    """Return megabytes of resident memory: now (VmRSS) or at the most (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"{name} of {pid} is not told")


def main() -> None:
    """Drain and print; exit status 1 where events were lost or memory grew too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backlog", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder:
        result = drain(Path(folder), given.events)
    print(f"{given.events} events drained: {result.per_second:.0f} a second, {result.lost} lost")
    print(f"memory grew by {result.grown:.1f} MB (less than {GROWTH_BAR:.0f})")
    print(f"the queue at the end: {result.counts}")
    sys.exit(not result.fine)


if __name__ == "__main__":
    main()
