"""A process that enqueues and says, event by event, what it was told: `python -m …enqueuer FILE N`.

It writes `202 <id>` once an event was accepted and `503 <id>` where it was not, one write each, so
that whoever traces it sees the answer beside the disk.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from pilotlight.errors import UnavailableError

from .events import event, sqlite_queue

__all__: list[str] = []


async def _main(path: Path, count: int, size: int) -> None:
    async with sqlite_queue(path) as queue:
        for number in range(count):
            event_id = f"event-{number:04d}"
            try:
                await queue.enqueue(event(event_id, payload=bytes(size)))
            except UnavailableError:
                status = 503
            else:
                status = 202
            os.write(sys.stdout.fileno(), f"{status} {event_id}\n".encode())


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
