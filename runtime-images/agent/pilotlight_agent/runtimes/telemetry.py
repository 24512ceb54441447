"""Telemetry: what happens in an environment, for the extensions that subscribed to it.

`lifecycle.environment_log` tells everything here once, and `extensions_api` who wants it. Each
subscriber has a buffer and one batch on its way; nothing waits for it: who is too slow loses
events, and is told how many. What happened before the subscription is told, too, as far as it
belongs to the same initialisation.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import NamedTuple

from pilotlight_agent.errors import InvalidSubscriptionError

from .subscription import LOGS, TELEMETRY, Stream, Subscription

Stamp = Callable[[float], str]
"""Words a moment of `time.time`."""

_MOST_EARLY = 262_144
"""Bytes of events that are kept for who subscribes later."""
_EVENT_COST = 200
"""What keeping one takes beside its own bytes, about."""
_HERE = "127.0.0.1"
_POST_SECONDS = 2.0
"""For a delivery from its first byte to the status of the answer."""
_STATUS = re.compile(rb"HTTP/1\.\d (\d{3})\b")
_NO_ANSWER, _TAKEN, _REFUSED = 0, 2, 4
"""Hundreds of a status."""
_MOST_FAILURES = 5
"""Answers of another status that a batch may get."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Between two tries to reach a subscriber, in seconds."""
_FELL_BEHIND = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
_FOREIGN = {LOGS: ("platform.init",), TELEMETRY: ("platform.end",)}
"""Beginnings of the types that only the other API has."""


class Event(NamedTuple):
    """One thing that happened."""

    stream: Stream
    kind: str
    """Such as `platform.report`, or the stream's name for a line."""
    data: bytes
    """As it is sent."""


class Subscriber:
    """A buffer, and whoever it is for."""

    def __init__(self, subscription: Subscription, stamp: Stamp, left: list[bytes]) -> None:
        """`left` goes first, the newest of it as far as it fits into one batch."""
        self._subscription = subscription
        self._stamp = stamp
        self._waiting = left
        self._size = sum(map(len, left))
        self._under_way: list[bytes] = []
        self._dropped = self._dropped_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        while self._size > subscription.most_bytes:
            self._size -= len(self._waiting[0])
            self._drop([self._waiting.pop(0)])
        self.send()

    def take(self, event: Event) -> None:
        """Keep an event that is wanted, and send what is due."""
        wanted = self._subscription
        if event.stream not in wanted.streams or event.kind.startswith(_FOREIGN[wanted.api]):
            return
        if self._size + len(event.data) > 2 * wanted.most_bytes:
            self._drop([event.data])
            self.send()
            return
        self._waiting.append(event.data)
        self._size += len(event.data)
        if len(self._waiting) >= wanted.most_items or self._size >= wanted.most_bytes:
            self.send()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wanted.seconds, self.send)

    def send(self) -> None:
        """Send what waits, after what is on its way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sending is None and self._waiting:
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    def close(self) -> list[bytes]:
        """Send nothing more; returns what is not known to have arrived."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()
        return self._notice() + self._under_way + self._waiting

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                dropped, size, notice = self._dropped, self._dropped_bytes, self._notice()
                self._under_way = self._cut(notice)
                if await self._deliver(notice + self._under_way):
                    self._dropped, self._dropped_bytes = (
                        self._dropped - dropped, self._dropped_bytes - size,
                    )  # fmt: skip
                else:
                    self._drop(self._under_way)
                self._under_way = []
        finally:
            self._sending = None

    def _cut(self, notice: list[bytes]) -> list[bytes]:
        """Take what may go with a notice off what waits: one event at least."""
        wanted, count, size = self._subscription, 0, 0
        room = wanted.most_bytes - sum(map(len, notice))
        for each in self._waiting[: wanted.most_items - len(notice)]:
            if count and size + len(each) > room:
                break
            count, size = count + 1, size + len(each)
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._size -= size
        return batch

    async def _deliver(self, batch: list[bytes]) -> bool:
        """Try until somebody takes it, or will not; returns whether it was taken."""
        pause, failures = _FIRST_PAUSE, 0
        while failures < _MOST_FAILURES:
            answer = await _deliver(self._subscription, batch) // 100
            if answer in {_TAKEN, _REFUSED}:
                return answer == _TAKEN
            failures += answer != _NO_ANSWER
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return False

    def _drop(self, lost: list[bytes]) -> None:
        self._dropped += len(lost)
        self._dropped_bytes += sum(map(len, lost))

    def _notice(self) -> list[bytes]:
        """Return the event that tells what was lost, if anything was."""
        if not self._dropped:
            return []
        record = {
            "droppedBytes": self._dropped_bytes,
            "droppedRecords": self._dropped,
            "reason": _FELL_BEHIND,
        }
        return [_encoded(self._stamp(time.time()), "platform.logsDropped", record)]


class Telemetry:
    """What happens beside one runtime process after the other."""

    def __init__(self, stamp: Stamp, *, json_lines: bool) -> None:
        """`json_lines`: the function logs in JSON, so that its lines are documents."""
        self._stamp = stamp
        self._json_lines = json_lines
        self._subscribers: dict[str, Subscriber] = {}
        """By the extension's name."""
        self._api = ""
        """Which was used first, and is the only one then."""
        self._early: list[Event] | None = []
        """What happened while extensions may still subscribe."""
        self._early_size = 0
        self.keeps = False
        """Whether there are extensions, so that lines are kept while they may subscribe."""
        self._left: dict[str, list[bytes]] = {}
        """What extensions had not got yet when they were ended."""

    @property
    def open(self) -> bool:
        """Whether extensions may still subscribe."""
        return self._early is not None

    @property
    def heard(self) -> bool:
        """Whether somebody is told, or may be later."""
        return bool(self._subscribers) or self._early is not None

    def begin_anew(self) -> None:
        """Forget the subscribers, which ended; those of the same names get what they missed."""
        self.close()
        self._subscribers, self._api, self._early, self._early_size = {}, "", [], 0

    def expect(self, names: Collection[str]) -> None:
        """Keep something for these extensions only, until another one is there."""
        self.keeps = bool(names)
        self._left = {name: left for name, left in self._left.items() if name in names}

    def close_subscription(self) -> None:
        """Take no more subscribers: the init phase is over."""
        self._early, self._left = None, {}

    def subscribe(self, name: str, subscription: Subscription) -> None:
        """Begin to tell an extension, or tell it otherwise from now on.

        Raises InvalidSubscriptionError where the other API is in use already, as Lambda has it.
        """
        if self._api not in {"", subscription.api}:
            raise InvalidSubscriptionError(
                f"the {self._api} API is in use already, the {subscription.api} API cannot be"
            )
        self._api = subscription.api
        before = self._subscribers.get(name)
        left = self._left.pop(name, []) if before is None else before.close()
        subscriber = self._subscribers[name] = Subscriber(subscription, self._stamp, left)
        if before is None:
            for event in self._early or ():
                subscriber.take(event)
        kind = "logsSubscription" if subscription.api == LOGS else "telemetrySubscription"
        streams = sorted(subscription.streams)
        self.platform(
            f"platform.{kind}", lambda: {"name": name, "state": "Subscribed", "types": streams}
        )

    def platform(self, kind: str, record: Callable[[], object]) -> None:
        """Tell of a platform event; its record is made where somebody wants it."""
        if self.heard:
            data = _encoded(self._stamp(time.time()), kind, record())
            self._tell(Event(Stream.PLATFORM, kind, data))

    def line(self, stream: Stream, line: str) -> None:
        """Tell of a line of the function's or an extension's."""
        if self._subscribers or (self.keeps and self.open):
            self._tell(Event(stream, stream.value, self._encoded_line(stream, line)))

    def close(self) -> None:
        """Send nothing more."""
        self._left |= {name: each.close() for name, each in self._subscribers.items()}

    def flush(self) -> None:
        """Send at once what waits: the end is near."""
        for each in self._subscribers.values():
            each.send()

    def _tell(self, event: Event) -> None:
        size = self._early_size + len(event.data) + _EVENT_COST
        if self._early is not None and size <= _MOST_EARLY:
            self._early.append(event)
            self._early_size = size
        for each in self._subscribers.values():
            each.take(event)

    def _encoded_line(self, stream: Stream, line: str) -> bytes:
        """Encode a line: a document where it is one, and can be sent as one."""
        now = self._stamp(time.time())
        if self._json_lines and stream is Stream.FUNCTION and line.startswith("{"):
            with suppress(ValueError, RecursionError):
                return _encoded(now, stream, json.loads(line))
        return _encoded(now, stream, line)


def _encoded(now: str, kind: str, record: object) -> bytes:
    document = {"time": now, "type": kind, "record": record}
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


async def _deliver(subscription: Subscription, batch: list[bytes]) -> int:
    """Hand a batch over; returns the status of the answer, 0 where none came."""
    with suppress(Exception):  # whatever it is, nobody took it
        async with asyncio.timeout(_POST_SECONDS):
            reader, writer = await asyncio.open_connection(_HERE, subscription.port)
            try:
                if subscription.path is None:
                    return await _write(writer, batch)
                return await _post(reader, writer, subscription, batch)
            finally:
                writer.transport.abort()  # `close` would wait for who reads nothing
    return 0


async def _write(writer: asyncio.StreamWriter, batch: list[bytes]) -> int:
    writer.transport.set_write_buffer_limits(0)  # so that `drain` waits for every byte
    writer.write(b"".join(each + b"\n" for each in batch))
    await writer.drain()
    return 200


async def _post(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    subscription: Subscription,
    batch: list[bytes],
) -> int:
    body = b"[" + b",".join(batch) + b"]"
    head = (
        f"POST {subscription.path} HTTP/1.1\r\nHost: {_HERE}:{subscription.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    writer.write(head.encode("ascii") + body)
    status = _STATUS.match(await reader.readline())
    return 0 if status is None else int(status[1])
