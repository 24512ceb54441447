"""Log lines that are shown as they are stored, so that `dev` needs no second terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pilotlight.storage import LogLine, LogQuery, LogStore, LogStream

__all__ = ["EchoingLogs"]


class EchoingLogs:
    """A `LogStore` that tells of what it keeps."""

    def __init__(self, store: LogStore, echo: Callable[[Sequence[LogLine]], None]) -> None:
        self._store = store
        self._echo = echo

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keep lines and tell of them."""
        await self._store.append(lines)
        self._echo(lines)

    async def query(self, query: LogQuery) -> list[LogLine]:
        """Ask the store."""
        return await self._store.query(query)

    async def streams(self, namespace: str, function: str) -> list[LogStream]:
        """Ask the store."""
        return await self._store.streams(namespace, function)

    async def delete(
        self, namespace: str, function: str, *, until: float, stream: str | None = None
    ) -> int:
        """Have the store delete lines."""
        return await self._store.delete(namespace, function, until=until, stream=stream)
