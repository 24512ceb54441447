"""Streams of Redis, each mapping a consumer group of its own.

An entry stays pending until its batch has succeeded, and comes again where it did not: after a
second, or, where its gateway died, once it was left alone for as long as a batch may be held
(`VISIBILITY`). Lambda has no such source; the event is as near to that of SQS as can be.

The client is redis-py, which lives in the gateway's loop.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from .queue import RECORDS, Message
from .queue_source import QueueSource
from .source import Backlog, SourceError
from .source_access import judge, read_access, values_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from .source import PolledMapping

__all__ = ["RedisSource"]

VISIBILITY = 30.0
AGAIN_SECONDS = 1.0
"""Before what failed comes again."""
CONNECT_SECONDS = 10.0
CONSUMER = "pilotlight"
"""There is one: what another gateway had is claimed by the same name."""


class RedisStream:
    """A stream, and the mapping's group of it."""

    visibility = VISIBILITY
    largest_receive = 1_000
    frame = RECORDS

    def __init__(self, polled: PolledMapping) -> None:
        self._polled = polled
        self._url = polled.mapping.spec.source or ""
        parts = urlsplit(self._url)
        self._place = parts.netloc
        self._stream = unquote(parts.path[1:])
        self._group = polled.mapping.metadata.uid
        self._client: Any = None
        self._inherited: bytes | None = b"0-0"
        """Up to which entry that an earlier gateway had is claimed; None once all are."""

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            with suppress(RedisError, OSError):
                await self._client.aclose()

    async def find(self) -> None:
        """Connect and find the stream; raises SourceError."""
        await self._connect()
        if await self._ask(self._client.type(self._stream)) != b"stream":
            raise SourceError(f"{self._url}: there is no stream {self._stream}", "NotFound")

    async def begin(self) -> None:
        """Make the mapping's group where it is not: it begins where the mapping says."""
        await self.find()
        try:
            made = self._client.xgroup_create(self._stream, self._group, self._first_id())
            await self._ask(made)
        except SourceError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def backlog(self) -> Backlog:
        """Ask for what the group has not seen, and has not acknowledged; raises SourceError."""
        for group in await self._ask(self._client.xinfo_groups(self._stream)):
            if group["name"].decode() == self._group:
                return Backlog(group.get("lag"), group["pending"])
        return Backlog(None)  # nobody has polled yet

    def _first_id(self) -> str:
        spec = self._polled.mapping.spec
        if spec.starting_position_timestamp is not None:
            at = datetime.fromisoformat(spec.starting_position_timestamp).timestamp()
            return f"{int(at * 1000) - 1}-18446744073709551615"
        return "0" if spec.starting_position == "TRIM_HORIZON" else "$"

    async def receive(self, most: int, wait_seconds: float) -> list[Message]:
        """Return entries, those first that were left alone; raises SourceError."""
        if claimed := await self._claim(most):
            return claimed
        # While something is held, what failed of it is looked for in between.
        held = (await self._ask(self._client.xpending(self._stream, self._group)))["pending"]
        block = min(wait_seconds, AGAIN_SECONDS) if held else wait_seconds
        found = await self._ask(
            self._client.xreadgroup(
                self._group, CONSUMER, {self._stream: ">"}, most,
                block=int(block * 1000) if block else None,
            )
        )  # fmt: skip
        return [self._message(*entry) for _, entries in found for entry in entries]

    async def _claim(self, most: int) -> list[Message]:
        """Claim what was left alone, and at first all that an earlier gateway had."""
        idle, start = int(VISIBILITY * 1000), b"0-0"
        if self._inherited is not None:
            idle, start = 0, self._inherited
        cursor, entries, *_ = await self._ask(
            self._client.xautoclaim(
                self._stream, self._group, CONSUMER, idle, start_id=start, count=most
            )
        )
        if self._inherited is not None:
            self._inherited = None if cursor == b"0-0" else cursor
        found = [entry for entry in entries if entry[1]]
        counts = await self._deliveries([name for name, _ in found])
        return [
            self._message(name, values, count)
            for (name, values), count in zip(found, counts, strict=True)
        ]

    async def _deliveries(self, names: Sequence[bytes]) -> list[int]:
        """Ask how often entries were delivered."""
        if not names:
            return []
        asking = self._client.pipeline(transaction=False)
        for name in names:
            asking.xpending_range(self._stream, self._group, name, name, 1)
        found = await self._ask(asking.execute())
        return [one[0]["times_delivered"] if one else 1 for one in found]

    async def delete(self, messages: Sequence[Message]) -> None:
        """Acknowledge entries; the stream keeps them."""
        handles = [one.handle for one in messages]
        await self._ask(self._client.xack(self._stream, self._group, *handles))

    async def hide(self, messages: Sequence[Message], seconds: float) -> None:
        """Keep entries from being claimed for so long from now."""
        await self._ask(
            self._client.xclaim(
                self._stream, self._group, CONSUMER, 0, [one.handle for one in messages],
                idle=max(0, int((VISIBILITY - seconds) * 1000)), justid=True,
            )
        )  # fmt: skip

    async def give_back(self, messages: Sequence[Message], seconds: float) -> None:
        """Let entries be claimed soon."""
        await self.hide(messages, min(seconds, AGAIN_SECONDS))

    def _message(self, entry: bytes, values: dict[bytes, bytes], deliveries: int = 1) -> Message:
        """Make of an entry what a function sees: texts, and in Base64 what is none."""
        name = entry.decode()
        arrived_ms = int(name.partition("-")[0])
        fields, binary = {}, {}
        for key, value in values.items():
            try:
                fields[key.decode(errors="replace")] = value.decode()
            except UnicodeDecodeError:
                binary[key.decode(errors="replace")] = base64.b64encode(value).decode()
        record = {
            "messageId": name,
            "fields": fields,
            "binaryFields": binary,
            "redelivered": deliveries > 1,
            "timestamp": arrived_ms,
            "eventSource": "pilotlight:redis",
            "eventSourceARN": self._url,
        }
        return Message(name, name, record, arrived_at=arrived_ms / 1000, deliveries=deliveries)

    async def _connect(self) -> None:
        parts = urlsplit(self._url)
        host, port = parts.hostname or "", parts.port or 6379
        await judge(self._polled.services.settings, host, port)
        access = await read_access(self._polled)
        options: dict[str, Any] = {}
        if (given := access.get("BASIC_AUTH")) is not None:
            (options["password"],) = values_of(given, "BASIC_AUTH", "password")
            options["username"] = given.get("username")
        if parts.scheme == "rediss":
            if "CLIENT_CERTIFICATE_TLS_AUTH" in access:
                raise SourceError("client certificates are not supported for Redis", "Invalid")
            authority = access.get("SERVER_ROOT_CA_CERTIFICATE", {}).get("certificate")
            options |= {"ssl": True, "ssl_ca_data": authority}
        self._client = Redis(
            host=host, port=port, protocol=2,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=CONNECT_SECONDS + self._polled.services.settings.longest_poll,
            **options,
        )  # fmt: skip

    async def _ask(self, asked: Awaitable[Any]) -> Any:
        try:
            return await asked
        except (AuthenticationError, NoPermissionError) as error:
            raise SourceError(f"{self._place} refuses access: {error}", "AccessDenied") from error
        except ResponseError as error:
            raise SourceError(f"{self._place}: {error}", "Invalid") from error
        except (RedisError, OSError) as error:
            said = str(error) or type(error).__name__
            raise SourceError(f"{self._place} cannot be reached: {said}") from error


RedisSource = partial(QueueSource, make=RedisStream)
