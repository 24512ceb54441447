"""Queues of every kind for tests, and events to put into them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pilotlight.storage.postgres.database import PostgresDatabase
from pilotlight_gateway.event_queue.interface import Event
from pilotlight_gateway.event_queue.postgres import PostgresEventQueue
from pilotlight_gateway.event_queue.sqlite import SqliteEventQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["event", "postgres_queue", "sqlite_queue"]


def event(event_id: str, function: str = "f", *, at: float = 0.0, **fields: Any) -> Event:
    """Make an event that is due at once and may wait for an hour."""
    given: dict[str, Any] = {
        "account": "000000000000",
        "namespace": "default",
        "payload": b"{}",
        "enqueued_at": at,
        "due_at": at,
        "expires_at": at + 3600.0,
        "hold_seconds": 60.0,
    }
    return Event(id=event_id, function=function, **(given | fields))


@asynccontextmanager
async def sqlite_queue(path: Path, **options: Any) -> AsyncIterator[SqliteEventQueue]:
    """Lend a queue in a file."""
    queue = SqliteEventQueue(path, **options)
    try:
        yield queue
    finally:
        await queue.close()


@asynccontextmanager
async def postgres_queue(url: str, **options: Any) -> AsyncIterator[PostgresEventQueue]:
    """Lend a queue in a database, whose tables are gone afterwards."""
    database = PostgresDatabase(url)
    queue = PostgresEventQueue(database, **options)
    try:
        yield queue
    finally:
        await queue.close()
        async with database.connection() as connection:
            await connection.execute(
                "DROP TABLE IF EXISTS events, event_lanes, event_keys, event_bytes, source_leases, "
                "source_gateways, event_queue_version; "
                "DROP FUNCTION IF EXISTS event_bytes_come, event_bytes_go"
            )
        await database.close()
        await asyncio.sleep(0)  # asyncpg closes its transports in the next turn of the loop
