"""Telemetry: what happens in an environment, for the extensions that subscribed to it.

`lifecycle.environment_log` tells everything here once, and `extensions_api` who wants it. Each
subscriber has a buffer and one batch on its way; nothing waits for it: who is too slow loses
events, and is told how many. What happened before the subscription is told, too, as far as it
belongs to the same initialisation.
"""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pilotlight_agent.errors import InvalidSubscriptionError

from .subscription import LOGS, TELEMETRY, Stream, Subscription

Stamp = Callable[[float], str]
"""Words a moment of `time.time`."""

_MOST_EARLY = 262_144
"""Bytes of lines that are kept for who subscribes later."""
_HERE = "127.0.0.1"
_POST_SECONDS = 2.0
_SUCCESS = 2
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
    record: object
    moment: float


class Subscriber:
    """A buffer, and whoever it is for."""

    def __init__(self, subscription: Subscription, stamp: Stamp, left: list[bytes]) -> None:
        self._subscription = subscription
        self._stamp = stamp
        self._waiting = left
        self._size = sum(map(len, left))
        self._under_way: list[bytes] = []
        self._dropped = self._dropped_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    def take(self, event: Event) -> None:
        """Keep an event that is wanted, and send what is due."""
        wanted = self._subscription
        if event.stream not in wanted.streams or event.kind.startswith(_FOREIGN[wanted.api]):
            return
        data = self._encode(event)
        if self._size + len(data) > 2 * wanted.most_bytes:
            self._dropped, self._dropped_bytes = self._dropped + 1, self._dropped_bytes + len(data)
            return
        self._waiting.append(data)
        self._size += len(data)
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
        return self._under_way + self._waiting

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                self._under_way, self._waiting, self._size = self._waiting, [], 0
                await self._deliver(self._under_way)
                self._under_way = []
                self._tell_dropped()
        finally:
            self._sending = None

    async def _deliver(self, batch: list[bytes]) -> None:
        pause = _FIRST_PAUSE
        while True:
            with suppress(OSError, http.client.HTTPException):
                await asyncio.to_thread(_deliver, self._subscription, batch)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell_dropped(self) -> None:
        if self._dropped:
            record = {
                "droppedBytes": self._dropped_bytes,
                "droppedRecords": self._dropped,
                "reason": _FELL_BEHIND,
            }
            self._dropped = self._dropped_bytes = 0
            dropped = Event(Stream.PLATFORM, "platform.logsDropped", record, time.time())
            self._waiting.insert(0, self._encode(dropped))

    def _encode(self, event: Event) -> bytes:
        document = {"time": self._stamp(event.moment), "type": event.kind, "record": event.record}
        return json.dumps(document, separators=(",", ":")).encode()


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

    def close_subscription(self) -> None:
        """Take no more subscribers: the init phase is over."""
        self._early = None

    def subscribe(self, name: str, subscription: Subscription) -> None:
        """Begin to tell an extension, or tell it otherwise from now on.

        Raises InvalidSubscriptionError where the other API is in use already, as Lambda has it.
        """
        if self._api not in {"", subscription.api}:
            raise InvalidSubscriptionError(
                f"the {self._api} API is in use already, the {subscription.api} API cannot be"
            )
        before = self._subscribers.pop(name, None)
        if before is not None:
            self._left[name] = before.close()
        self._api = subscription.api
        subscriber = Subscriber(subscription, self._stamp, self._left.pop(name, []))
        for event in self._early or ():
            subscriber.take(event)
        self._subscribers[name] = subscriber
        kind = "logsSubscription" if subscription.api == LOGS else "telemetrySubscription"
        streams = sorted(subscription.streams)
        self.platform(
            f"platform.{kind}", lambda: {"name": name, "state": "Subscribed", "types": streams}
        )

    def platform(self, kind: str, record: Callable[[], object]) -> None:
        """Tell of a platform event; its record is made where somebody wants it."""
        if self.heard:
            self._tell(Event(Stream.PLATFORM, kind, record(), time.time()), 0)

    def line(self, stream: Stream, line: str) -> None:
        """Tell of a line of the function's or an extension's."""
        if self.heard:
            record = self._record(line) if stream is Stream.FUNCTION else line
            self._tell(Event(stream, stream.value, record, time.time()), len(line))

    def close(self) -> None:
        """Send nothing more."""
        self._left |= {name: each.close() for name, each in self._subscribers.items()}

    def flush(self) -> None:
        """Send at once what waits: the end is near."""
        for each in self._subscribers.values():
            each.send()

    def _tell(self, event: Event, size: int) -> None:
        if self._early is not None and self._early_size + size <= _MOST_EARLY:
            self._early.append(event)
            self._early_size += size
        for each in self._subscribers.values():
            each.take(event)

    def _record(self, line: str) -> object:
        if self._json_lines and line.startswith("{"):
            with suppress(ValueError):
                return json.loads(line)
        return line


def _deliver(subscription: Subscription, batch: list[bytes]) -> None:
    """Hand a batch over; raises OSError or HTTPException where nobody took it."""
    if subscription.path is None:
        with socket.create_connection((_HERE, subscription.port), _POST_SECONDS) as listener:
            listener.sendall(b"".join(each + b"\n" for each in batch))
    else:
        _post(subscription.port, subscription.path, b"[" + b",".join(batch) + b"]")


def _post(port: int, path: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(_HERE, port, timeout=_POST_SECONDS)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status // 100 != _SUCCESS:
            raise http.client.HTTPException(f"status {answer.status}")
    finally:
        connection.close()
