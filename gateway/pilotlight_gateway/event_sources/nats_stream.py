"""Streams of NATS JetStream, each mapping a durable pull consumer of its own.

A message is acknowledged once its batch has succeeded; it comes again a second after it failed, or,
where its gateway died, when the time is over that the consumer waits (`VISIBILITY`). Lambda has no
such source; the event is as near to that of SQS as can be.

The client is nats-py. It connects to no servers that others name: where the connection ends, the
mapping's own place is judged and connected to again.
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import AuthorizationError, Error, InvalidUserCredentialsError
from nats.errors import TimeoutError as NothingCameError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from .queue import RECORDS, Message
from .queue_source import QueueSource
from .source import Backlog, SourceError
from .source_access import judge, read_access, tls_context, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from .source import PolledMapping

__all__ = ["NatsSource"]

VISIBILITY = 30.0
AGAIN_SECONDS = 1.0
"""Before what failed comes again."""
CONNECT_SECONDS = 10
MOST_PENDING = 10_000
"""Messages that are not acknowledged: as many as a batch may have."""


class NatsStream:
    """A stream, and the mapping's consumer of it; connected again whenever it is not."""

    visibility = VISIBILITY
    largest_receive = 500
    frame = RECORDS

    def __init__(self, polled: PolledMapping) -> None:
        self._polled = polled
        self._url = polled.mapping.spec.source or ""
        parts = urlsplit(self._url)
        self._place = parts.netloc
        self._stream = parts.path[1:]
        self._durable = polled.mapping.metadata.uid
        self._client: Client | None = None
        self._consumer: JetStreamContext.PullSubscription | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            with suppress(Error, OSError):
                await self._client.close()

    async def find(self) -> None:
        """Connect and find the stream; raises SourceError."""
        try:
            await self._find()
        except (Error, OSError, TimeoutError) as error:
            raise self._trouble(error) from error

    async def backlog(self) -> Backlog:
        """Ask for what the consumer has not seen, and has not acknowledged; raises SourceError."""
        if self._client is None:
            raise SourceError(f"{self._place} cannot be reached: the connection ended")
        try:
            found = await self._client.jetstream().consumer_info(self._stream, self._durable)
        except NotFoundError:
            return Backlog(None)  # nobody has polled yet
        except (Error, OSError, TimeoutError) as error:
            raise self._trouble(error) from error
        return Backlog(found.num_pending, found.num_ack_pending)

    async def begin(self) -> JetStreamContext.PullSubscription:
        """Connect and make the mapping's consumer, unless that is so; raises SourceError."""
        async with self._opening:
            if self._consumer is None or self._client is None or not self._client.is_connected:
                await self.close()
                try:
                    self._consumer = await self._consume(await self._find())
                except (Error, OSError, TimeoutError) as error:
                    raise self._trouble(error) from error
            return self._consumer

    async def _find(self) -> JetStreamContext:
        parts, access = urlsplit(self._url), await read_access(self._polled)
        await judge(self._polled.services.settings, parts.hostname or "", parts.port or 4222)
        options: dict[str, Any] = {}
        if (given := access.get("BASIC_AUTH")) is not None:
            user, password = values_of(given, "BASIC_AUTH", "username", "password")
            options = {"user": user, "password": password}
        if parts.scheme == "tls":
            options["tls"] = tls_context(access)
        self._client = Client()
        await self._client.connect(
            f"{parts.scheme}://{self._place}", connect_timeout=CONNECT_SECONDS, error_cb=_ignore,
            allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0, **options,
        )  # fmt: skip
        stream = self._client.jetstream(timeout=CONNECT_SECONDS)
        await stream.stream_info(self._stream)
        return stream

    async def _consume(self, stream: JetStreamContext) -> JetStreamContext.PullSubscription:
        try:
            await stream.consumer_info(self._stream, self._durable)
        except NotFoundError:
            await stream.add_consumer(self._stream, self._config())
        return await stream.pull_subscribe_bind(durable=self._durable, stream=self._stream)

    def _config(self) -> ConsumerConfig:
        spec = self._polled.mapping.spec
        config = ConsumerConfig(
            durable_name=self._durable, ack_policy=AckPolicy.EXPLICIT, ack_wait=VISIBILITY,
            max_ack_pending=MOST_PENDING, deliver_policy=DeliverPolicy.ALL,
        )  # fmt: skip
        if spec.starting_position == "LATEST":
            config.deliver_policy = DeliverPolicy.NEW
        elif spec.starting_position_timestamp is not None:
            config.deliver_policy = DeliverPolicy.BY_START_TIME
            config.opt_start_time = spec.starting_position_timestamp  # type: ignore[assignment]  # sent as it is
        return config

    async def receive(self, most: int, wait_seconds: float) -> list[Message]:
        """Return messages, waiting for the first; raises SourceError."""
        consumer = await self.begin()
        try:
            found = await consumer.fetch(most, timeout=max(wait_seconds, 0.1))
        except (NothingCameError, TimeoutError):
            if self._client is not None and self._client.is_connected:
                return []
            raise SourceError(f"{self._place} cannot be reached: the connection ended") from None
        except (Error, OSError) as error:
            raise self._trouble(error) from error
        return [self._message(one) for one in found]

    async def delete(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages."""
        await self._settle([one.source.ack() for one in messages])

    async def hide(self, messages: Sequence[Message], seconds: float) -> None:
        """Have the consumer wait on."""
        del seconds  # it is the consumer's own
        await self._settle([one.source.in_progress() for one in messages])

    async def give_back(self, messages: Sequence[Message], seconds: float) -> None:
        """Let messages come again soon."""
        again = min(seconds, AGAIN_SECONDS)
        await self._settle([one.source.nak(delay=again) for one in messages])

    async def _settle(self, works: Sequence[Any]) -> None:
        """Do it for all; what an ended connection had comes again by itself."""
        for result in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, Error | OSError):
                raise result

    def _message(self, given: Msg) -> Message:
        metadata = given.metadata
        name = str(metadata.sequence.stream)
        record = {
            "messageId": name,
            "subject": given.subject,
            "headers": dict(given.headers or {}),
            "data": base64.b64encode(given.data).decode(),
            "redelivered": metadata.num_delivered > 1,
            "deliveryCount": metadata.num_delivered,
            "timestamp": int(metadata.timestamp.timestamp() * 1000),
            "eventSource": "pilotlight:nats",
            "eventSourceARN": self._url,
        }
        arrived_at, deliveries = metadata.timestamp.timestamp(), metadata.num_delivered
        return Message(
            name, "", record, arrived_at=arrived_at, deliveries=deliveries, source=given
        )  # fmt: skip

    def _trouble(self, error: BaseException) -> SourceError:
        said = str(error) or type(error).__name__
        denied = (AuthorizationError, InvalidUserCredentialsError)
        if isinstance(error, denied) or "authorization" in said.lower():
            return SourceError(f"{self._place} refuses access: {said}", "AccessDenied")
        if isinstance(error, NotFoundError):
            return SourceError(f"{self._url}: there is no stream {self._stream}", "NotFound")
        return SourceError(f"{self._place} cannot be reached: {said}")


async def _ignore(error: Exception) -> None:
    """Take no note: what it means for messages is raised where they are asked for."""


NatsSource = partial(QueueSource, make=NatsStream)
