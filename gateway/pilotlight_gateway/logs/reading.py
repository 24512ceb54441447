"""Reads the lines of a group: those of its functions, as one sequence by id."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pilotlight.storage import LogQuery
from pilotlight.storage.interfaces import LAST_ID, LATEST

if TYPE_CHECKING:
    from pilotlight.storage import LogLine, LogStore

    from .groups import Group

__all__ = ["Wanted", "read_first", "read_last"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of a group are read; a store tells no more of them apart."""

    since: float = 0.0
    until: float = LATEST
    stream: str | None = None


async def read_first(
    logs: LogStore, group: Group, wanted: Wanted, *, after: int, limit: int
) -> list[LogLine]:
    """Return the first lines after an id."""
    lists = await _read(logs, group, wanted, LogQuery("", "", after_id=after, first=True), limit)
    # Of a list that was cut, lines are missing behind its last one.
    whole_until = min((lines[-1].id for lines in lists if len(lines) == limit), default=LAST_ID)
    merged = heapq.merge(*lists, key=lambda line: line.id)
    return [line for line in merged if line.id <= whole_until][:limit]


async def read_last(
    logs: LogStore, group: Group, wanted: Wanted, *, before: int, limit: int
) -> list[LogLine]:
    """Return the last lines before an id, oldest first."""
    lists = await _read(logs, group, wanted, LogQuery("", "", before_id=before), limit)
    return list(heapq.merge(*lists, key=lambda line: line.id))[-limit:]


async def _read(
    logs: LogStore, group: Group, wanted: Wanted, query: LogQuery, limit: int
) -> list[list[LogLine]]:
    queries = (
        replace(
            query,
            namespace=function.metadata.namespace,
            function=function.metadata.name,
            since=wanted.since,
            until=wanted.until,
            stream=wanted.stream,
            limit=limit,
        )
        for function in group.functions
    )
    return list(await asyncio.gather(*(logs.query(one) for one in queries)))
