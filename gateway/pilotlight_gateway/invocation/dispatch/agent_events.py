"""Brings an agent's events back: log lines into the log store, and the news that it is gone.

Every environment has a reader; all readers share one sink (`log_sink`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from pilotlight.agent.events import read_events
from pilotlight.errors import ConnectionLostError
from pilotlight.storage import LogLine
from pilotlight_wire.events import EventType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pilotlight_wire.events import Event

    from .environment import Environment
    from .log_sink import LogSink

__all__ = ["EventReader", "EventReaders"]

FIRST_CALL_SECONDS = 0.02
"""How long a new environment's events wait in its agent: the call that it was claimed for goes
first."""
LAST_WORDS_SECONDS = 2.0
"""How long a released environment's reader goes on, so that its last lines arrive."""
MOST_LEFT = 1000
"""Environments that were given back of which it is known how far they were read."""

log = structlog.get_logger()


class EventReader:
    """Reads one environment's events as long as it lives."""

    def __init__(
        self, environment: Environment, sink: LogSink, on_end: Callable[[Environment], None]
    ) -> None:
        self._environment = environment
        self._sink = sink
        self._on_end = on_end
        self._seen = 0
        """Number of the last event."""
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def start(
        cls,
        environment: Environment,
        sink: LogSink,
        on_end: Callable[[Environment], None],
        after: int = 0,
    ) -> EventReader:
        """Start reading what came after an event of that number, or all that there is.

        An agent that tells nothing any more is gone, or as good as gone.
        """
        reader = cls(environment, sink, on_end)
        reader._seen = after
        reader._task = asyncio.create_task(reader._run())
        return reader

    def stop(self) -> int:
        """Stop at once; returns the number of the last event that was read."""
        if self._task is not None:
            self._task.cancel()
        return self._seen

    def finish(self) -> None:
        """Stop soon: the environment was released, its last lines may still come."""
        if self._task is not None:
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._task.cancel)

    async def _run(self) -> None:
        lease = self._environment.lease
        try:
            await asyncio.sleep(FIRST_CALL_SECONDS)
            batches = read_events(
                lease.host, lease.port, self._environment.token, lease.environment, self._seen
            )
            async with contextlib.aclosing(batches):
                async for events in batches:
                    self._take(events)
        except (OSError, ValueError, ConnectionLostError) as error:
            log.debug("events ended", pod=lease.pod, error=str(error))
        finally:
            self._on_end(self._environment)

    def _take(self, events: list[Event]) -> None:
        self._seen = events[-1].get("seq", self._seen)
        if lines := [self._line(event) for event in events if "line" in event]:
            self._sink.add(lines)
        if len(lines) < len(events):
            for event in events:
                self._note(event)

    def _note(self, event: Event) -> None:
        """Hear of what is no line."""
        if event["type"] == EventType.ZYGOTE and event["state"] == "failed":
            pod = self._environment.lease.pod
            log.warning("environments start plainly", pod=pod, reason=event["reason"])
        elif event["type"] == EventType.DROPPED:
            of = self._environment.lease.revision
            self._sink.miss((of.namespace, of.function), event["count"], event["bytes"])

    def _line(self, event: Event) -> LogLine:
        revision = self._environment.lease.revision
        return LogLine(
            _seconds(event["time"]),
            revision.namespace,
            revision.function,
            event.get("logStream") or "",
            event.get("requestId") or "",
            event["line"],
        )


class EventReaders:
    """The readers of the environments that a gateway holds: all of them, when iterated over.

    One that comes back is read on from where it was left, so that no line is stored twice.
    """

    def __init__(self, sink: LogSink, on_end: Callable[[Environment], None]) -> None:
        self._sink = sink
        self._on_end = on_end
        self._reading: dict[Environment, EventReader] = {}
        self._left: OrderedDict[tuple[str, str], EventReader] = OrderedDict()
        """Those of environments that were given back, by pod and environment."""

    def __iter__(self) -> Iterator[Environment]:
        return iter(self._reading)

    def start(self, environment: Environment) -> None:
        """Read an environment's events as long as it is held."""
        before = self._left.pop(_place(environment), None)
        after = 0 if before is None else before.stop()
        reader = EventReader.start(environment, self._sink, self._on_end, after)
        self._reading[environment] = reader

    def finish(self, environment: Environment) -> None:
        """Stop soon; a second time changes nothing."""
        reader = self._reading.pop(environment, None)
        if reader is None:
            return
        reader.finish()
        self._left[_place(environment)] = reader
        if len(self._left) > MOST_LEFT:
            self._left.popitem(last=False)


def _place(environment: Environment) -> tuple[str, str]:
    return environment.lease.pod, environment.lease.environment


@functools.lru_cache(maxsize=64)
def _seconds(time: str) -> float:
    """Return the seconds since the epoch of a moment that several lines have."""
    return datetime.fromisoformat(time).timestamp()
