"""One PostgreSQL for all tests of the queue, and each kind of queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.events import postgres_queue, sqlite_queue
from tests.support.memory_event_queue import MemoryEventQueue
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pilotlight_gateway.event_queue.interface import EventQueue
    from tests.support.postgres import Postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def queue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventQueue]:
    """A queue of each kind, which keeps at most ten events of a function."""
    if request.param == "memory":
        yield MemoryEventQueue(most_per_function=10)
    elif request.param == "sqlite":
        async with sqlite_queue(tmp_path / "events.sqlite", most_per_function=10) as queue:
            yield queue
    else:
        server: Any = request.getfixturevalue("server")
        async with postgres_queue(server.url, most_per_function=10) as found:
            yield found
