"""Events as rows of a table, the same in both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .interface import DeadLetter, Event, EventLease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["COLUMNS", "columns_of", "dead_letter_of", "event_of", "lease_of", "values_of"]

COLUMNS = (
    "id", "account", "namespace", "function", "qualifier", "payload", "trace_id", "tenant_id",
    "dedup_key", "enqueued_at", "due_at", "expires_at", "hold_seconds", "tries", "refusals",
    "delivery",
)  # fmt: skip
"""Those that are fields of an event."""


def values_of(event: Event) -> tuple[Any, ...]:
    """Return an event's columns, in their order."""
    return tuple(getattr(event, column) for column in COLUMNS)


def event_of(row: Mapping[str, Any]) -> Event:
    """Read an event."""
    return Event(**{column: row[column] for column in COLUMNS})


def lease_of(row: Mapping[str, Any], now: float) -> EventLease:
    """Read what is being leased, as it was before."""
    event = event_of(row)
    redelivered = row["state"] == "in flight"
    return EventLease(event, row["epoch"] + 1, now + event.hold_seconds, redelivered)


def dead_letter_of(row: Mapping[str, Any]) -> DeadLetter:
    """Read a dead letter."""
    return DeadLetter(event_of(row), row["reason"], row["message"], row["died_at"])


def columns_of(rows: Iterable[Sequence[Any]], width: int = 2) -> list[list[Any]]:
    """Turn rows into columns, `width` empty ones where there is no row."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]
