"""What happened in the pod, in order: log lines, platform lines, exits, states.

Everything that an environment has to say goes through here once, as `pilotlight_wire.events`, and
out to two kinds of readers: the agent's own standard output (`kubectl logs`) and whoever holds `GET
/v1/events`. Nothing here may make an invocation wait: events are handed out later and in batches,
and a reader that is too slow loses events, and is told how many.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from json.encoder import encode_basestring as _quote
from typing import NamedTuple

from pilotlight_wire.events import EventType

_MOST_EVENTS = 10_000
_MOST_BYTES = 33_554_432
_BATCH_SECONDS = 0.005
_LINE_SECONDS = 0.05  # who reads does not see it, and many agents wake up less often
_MOST_PENDING = 64
_WRITE_BYTES = 65_536
_DROPPED = f'{{"type":"{EventType.DROPPED}","count":%d,"bytes":%d}}\n'.encode()


class Clock:
    """Wall time as Lambda writes it: ISO 8601 with milliseconds, UTC."""

    def __init__(self) -> None:
        self._second = 0
        self._prefix = ""

    def stamp(self, moment: float) -> str:
        """Word a moment of `time.time`, such as `2026-11-21T03:12:00.123Z`."""
        second = int(moment)
        if second != self._second:
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._prefix}.{int((moment - second) * 1000):03d}Z"


class Line(NamedTuple):
    """An event, and whose it is."""

    environment: str
    """Empty where it is the pod's."""
    text: bytes
    """With its line end."""


class Journal:
    """A bounded sequence of events, each one JSON line; old ones make room for new ones."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._sequence = 0
        self._pending: list[tuple[float, str, Sequence[str]]] = []
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self.forgotten_bytes = 0
        """Of all events that had to make room."""
        self._readers: list[Callable[[], None]] = []
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def last(self) -> int:
        """Sequence number of the newest event that readers can have; 0 before the first."""
        return self._sequence

    def stamp(self) -> str:
        """Return the present moment in the format of the journal."""
        return self._clock.stamp(time.time())

    def append(self, kind: str, fields: str, environment: str = "") -> None:
        """Append an event of type `kind`; `fields` is the rest of its JSON, after a comma.

        `environment` is whose it is, empty for the whole pod's.
        """
        self._pending.append((time.time(), environment, (f'"type":"{kind}",{fields}',)))
        self._flush_within(_BATCH_SECONDS)

    def append_lines(self, fields: Sequence[str], environment: str) -> None:
        """Append events that may wait a while; each is all of its JSON but number and time."""
        self._pending.append((time.time(), environment, fields))
        if self._flushing is None:
            self._flush_within(_LINE_SECONDS)
        elif len(self._pending) > _MOST_PENDING:
            self._flush_within(0)

    def add_reader(self, reader: Callable[[], None]) -> None:
        """Call `reader` after each batch; it takes what it wants with `since`."""
        self._readers.append(reader)

    def remove_reader(self, reader: Callable[[], None]) -> None:
        """Stop calling `reader`."""
        self._readers.remove(reader)

    def flush(self) -> None:
        """Let the readers have what is pending."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        for moment, environment, events in self._pending:
            stamp = self._clock.stamp(moment)
            for fields in events:
                self._sequence += 1
                text = f'{{"seq":{self._sequence},"time":"{stamp}",{fields}}}\n'.encode()
                self._keep(Line(environment, text))
        self._pending.clear()
        for reader in tuple(self._readers):
            reader()

    def since(self, sequence: int) -> tuple[list[Line], int]:
        """Return the lines after `sequence` and how many of them are no longer there."""
        missed = max(0, self.last - sequence)
        newest_first = list(islice(reversed(self._lines), missed))
        return newest_first[::-1], missed - len(newest_first)

    def _flush_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        moment = loop.time() + seconds
        if self._flushing is not None:
            if self._flushing.when() <= moment:
                return
            self._flushing.cancel()
        self._flushing = loop.call_at(moment, self.flush)

    def _keep(self, line: Line) -> None:
        self._lines.append(line)
        self._bytes += len(line.text)
        while len(self._lines) > _MOST_EVENTS or self._bytes > _MOST_BYTES:
            gone = len(self._lines.popleft().text)
            self._bytes -= gone
            self.forgotten_bytes += gone


class Source:
    """What one environment puts into the journal.

    It is on the way of every invocation, so the part that never changes is encoded once and the
    rest without building a document.
    """

    def __init__(self, journal: Journal, environment: str, log_stream: str) -> None:
        self._journal = journal
        self._identity = environment
        self._environment = f'"environment":{_quote(environment)}'
        self._log_stream = f'"logStream":{_quote(log_stream)}'

    def tell_line(self, kind: str, request_id: str, line: str) -> None:
        """Append a line of the function's (`log`) or about it (`platform`)."""
        self.tell_lines(kind, request_id, (line,))

    def tell_lines(self, kind: str, request_id: str, lines: Sequence[str]) -> None:
        """Append lines of one moment."""
        marks = (
            f'"type":"{kind}",{self._environment},"requestId":{_quote(request_id)},'
            f"{self._log_stream}"
        )
        events = [f'{marks},"line":{_quote(line)}' for line in lines]
        self._journal.append_lines(events, self._identity)

    def tell_state(self, state: str) -> None:
        """Append a state of the environment."""
        fields = f'{self._environment},"state":{_quote(state)}'
        self._journal.append(EventType.STATE, fields, self._identity)

    def tell_exit(self, request_id: str, code: int) -> None:
        """Append the end of a runtime process, by exit code or negative signal number."""
        marks = f'{self._environment},"requestId":{_quote(request_id)},{self._log_stream}'
        self._journal.append(EventType.EXIT, f'{marks},"code":{code}', self._identity)


class Cursor:
    """One reader's place in the journal: what it has seen, and how it is written to.

    `write` sends a few lines at a time, `writable` says whether the reader keeps up. A gap becomes
    `{"type":"dropped","count":n,"bytes":n}`, and is of all environments' events, also where the
    reader wants those of one `environment` alone.
    """

    def __init__(
        self,
        journal: Journal,
        after: int,
        write: Callable[[bytes], None],
        writable: Callable[[], bool],
        environment: str = "",
    ) -> None:
        self._journal = journal
        self._seen = after
        self._seen_bytes = 0 if after == 0 else journal.forgotten_bytes
        self._write = write
        self._writable = writable
        self._wanted = {"", environment} if environment else None
        journal.add_reader(self.advance)

    def advance(self) -> None:
        """Send what is new, if the reader keeps up."""
        while self._seen < self._journal.last and self._writable():
            lines, dropped = self._journal.since(self._seen)
            if dropped:
                gap = max(0, self._journal.forgotten_bytes - self._seen_bytes)
                self._seen_bytes = self._journal.forgotten_bytes
                self._write(_DROPPED % (dropped, gap))
            some = _beginning(lines)
            self._seen += dropped + len(some)
            self._seen_bytes += sum(len(line.text) for line in some)
            if text := b"".join(self._of_interest(some)):
                self._write(text)

    def close(self) -> None:
        """Stop reading."""
        self._journal.remove_reader(self.advance)

    def _of_interest(self, lines: list[Line]) -> Iterator[bytes]:
        wanted = self._wanted
        return (line.text for line in lines if wanted is None or line.environment in wanted)


def _beginning(lines: list[Line]) -> list[Line]:
    """Return as many as go out at once, one at least: a reader may lag, and memory is short."""
    size = 0
    for number, line in enumerate(lines):
        size += len(line.text)
        if size > _WRITE_BYTES:
            return lines[: number + 1]
    return lines
