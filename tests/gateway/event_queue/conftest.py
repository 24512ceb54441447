"""One PostgreSQL for all tests of the queue, and each kind of queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pilotlight_gateway.event_queue.interface import Limits
from tests.support.events import postgres_queue, sqlite_queue
from tests.support.memory_event_queue import MemoryEventQueue
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pilotlight_gateway.event_queue.interface import EventQueue
    from tests.support.postgres import Postgres

LIMITS = Limits(events=10, function_bytes=1000, account_bytes=2500)


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventQueue]:
    """A queue of each kind, which keeps little: `LIMITS`."""
    if request.param == "memory":
        yield MemoryEventQueue(limits=LIMITS)
    elif request.param == "sqlite":
        async with sqlite_queue(tmp_path / "events.sqlite", limits=LIMITS) as queue:
            yield queue
    else:
        server: Any = request.getfixturevalue("server")
        async with postgres_queue(server.url, limits=LIMITS) as found:
            yield found
