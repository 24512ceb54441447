"""Log lines on their way into the store: in batches, bounded in bytes, a share for each function.

What the store cannot take in time is dropped and never holds an invocation. It is counted, and a
line in the function's own log says how much of it is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from pilotlight.errors import PilotlightError
from pilotlight.storage import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pilotlight.storage import LogStore

__all__ = ["LogSink"]

FLUSH_SECONDS = 0.05
MOST_BYTES = 8 << 20
"""That may wait."""
SHARE = MOST_BYTES // 4
"""Of it that one function may take."""
_LINE_BYTES = 256
"""What a line takes beside its text."""

log = structlog.get_logger()


class Subscriptions(Protocol):
    """Delivers lines to functions (`pilotlight_gateway.logs.subscriptions`)."""

    async def deliver(self, lines: Sequence[LogLine]) -> None:
        """Have subscribers get what they want of these lines."""
        ...


class Metrics(Protocol):
    """Counts what lines measure (`pilotlight_gateway.logs.embedded_metrics`)."""

    def take(self, lines: Sequence[LogLine]) -> None:
        """Count what these lines measure, whether or not a store takes them."""
        ...


_Function = tuple[str, str]
"""Namespace and name."""


@dataclass(slots=True)
class _Missing:
    lines: int = 0
    bytes: int = 0

    def add(self, lines: int, size: int) -> None:
        self.lines += lines
        self.bytes += size


class LogSink:
    """Collects log lines and writes them in batches."""

    def __init__(self, store: LogStore, clock: Callable[[], float] = time.time) -> None:
        self.dropped = 0
        """Lines, of all functions."""
        self.subscriptions: Subscriptions | None = None
        """Who gets lines once they are stored."""
        self.metrics: Metrics | None = None
        """Who gets them before."""
        self._store = store
        self._clock = clock
        self._lines: list[LogLine] = []
        self._bytes = 0
        self._share: Counter[_Function] = Counter()
        self._missing: defaultdict[_Function, _Missing] = defaultdict(_Missing)
        self._filled = asyncio.Event()

    def add(self, lines: Sequence[LogLine]) -> None:
        """Add lines of one function; those are dropped before which too many bytes wait."""
        size = sum(map(_size, lines))
        function = (lines[0].namespace, lines[0].function)
        if self._share[function] + size <= SHARE and self._bytes + size <= MOST_BYTES:
            self._bytes += size
            self._share[function] += size
            self._lines += lines
            self._filled.set()
            if self.metrics is not None:
                self.metrics.take(lines)
        elif len(lines) > 1:
            for line in lines:
                self.add((line,))
        else:
            self.miss(function, 1, size - _LINE_BYTES)

    def miss(self, function: tuple[str, str], lines: int, size: int) -> None:
        """Count lines of so many bytes that were lost, here or before."""
        self.dropped += lines
        self._missing[function].add(lines, size)
        self._filled.set()

    async def run(self) -> None:
        """Write what comes, for ever."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits, and what is missing of it."""
        missing, self._missing = self._missing, defaultdict(_Missing)
        lines = [*self._lines, *self._told(missing)]
        self._lines.clear()
        self._bytes = 0
        self._share.clear()
        self._filled.clear()
        if not lines:
            return
        try:
            await self._store.append(lines)
        except PilotlightError as error:
            log.warning("log lines dropped", count=len(lines), error=str(error))
            self._lose(lines[: len(lines) - len(missing)], missing)  # told with what comes next
            return
        if self.subscriptions is not None:
            await self.subscriptions.deliver(lines)

    def _told(self, missing: dict[_Function, _Missing]) -> Iterable[LogLine]:
        for (namespace, function), one in missing.items():
            yield LogLine(
                time=self._clock(),
                namespace=namespace,
                function=function,
                stream="",
                request_id="",
                message=f"PILOTLIGHT {one.lines} lines of {one.bytes} bytes were dropped: "
                "they came faster than they could be stored",
            )

    def _lose(self, lines: Iterable[LogLine], missing: dict[_Function, _Missing]) -> None:
        """Count what the store did not take; what was missing before is still to be told."""
        for line in lines:
            self.dropped += 1
            lost = self._missing[line.namespace, line.function]
            lost.add(1, _size(line) - _LINE_BYTES)
        for function, one in missing.items():
            self._missing[function].add(one.lines, one.bytes)


def _size(line: LogLine) -> int:
    message = line.message
    if message.isascii():
        return len(message) + _LINE_BYTES
    return len(message.encode("utf-8", "surrogatepass")) + _LINE_BYTES
