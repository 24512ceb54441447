"""Group commit against one commit per event, at the queue's own interface.

Both write the same events from as many writers into the same kind of file, in turns in one run, so
that the ratio says what the group is worth on this disk.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from pilotlight_gateway.event_queue.group_commit import GroupCommit
from pilotlight_gateway.event_queue.interface import Event, Limits
from pilotlight_gateway.event_queue.sqlite import SqliteEventQueue

BAR = 5.0
"""Times as many events a second (docs/events.md)."""


def _event(number: int) -> Event:
    return Event(
        id=f"event-{number:08d}",
        account="000000000000",
        namespace="default",
        function=f"function-{number % 4}",
        payload=b'{"key": "value"}' * 16,
        enqueued_at=0.0,
        due_at=0.0,
        expires_at=3600.0,
        hold_seconds=60.0,
    )


async def _measure(queue: SqliteEventQueue, writers: int, events: int) -> float:
    """Write events from many writers, one at a time each; gives events a second."""
    numbers = iter(range(events))

    async def write() -> None:
        for number in numbers:
            await queue.enqueue(_event(number))

    await queue.counts()
    began = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(writers)))
    elapsed = time.perf_counter() - began
    counts = await queue.counts()
    if counts.waiting != events:
        raise RuntimeError(f"{events} events were written, {counts.waiting} are there")
    return events / elapsed


async def _run(folder: Path, *, largest_group: int | None, writers: int, events: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        queue = SqliteEventQueue(Path(place) / "events.sqlite", limits=Limits(events=events))
        if largest_group is not None:
            queue._writes = GroupCommit(queue._commit, largest=largest_group)  # noqa: SLF001  what is compared
        try:
            return await _measure(queue, writers, events)
        finally:
            await queue.close()


def main() -> None:
    """Measure in turns and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.event_queue", description=__doc__)
    parser.add_argument("--writers", type=int, default=128)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to measure")
    given = parser.parse_args()
    grouped: list[float] = []
    single: list[float] = []
    for _ in range(given.rounds):
        for rates, largest in ((grouped, None), (single, 1)):
            events = given.events if largest is None else given.events // 5
            work = _run(given.folder, largest_group=largest, writers=given.writers, events=events)
            rates.append(uvloop.run(work))
    together, alone = statistics.median(grouped), statistics.median(single)
    print(f"{given.writers} writers, median of {given.rounds} rounds")
    print(f"  group commit          {together:10,.0f} events/s")
    print(f"  one commit per event  {alone:10,.0f} events/s")
    print(f"  ratio                 {together / alone:10.1f} (at least {BAR:.0f})")


if __name__ == "__main__":
    main()
