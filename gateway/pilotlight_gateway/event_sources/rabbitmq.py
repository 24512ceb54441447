"""Queues of RabbitMQ, as Lambda polls those of Amazon MQ.

A message stays the gateway's until its batch has ended: then it is acknowledged, or given back to
its queue, which delivers it again, marked as redelivered, or does by its own rules what it should
(a delivery limit, a dead-letter exchange). What a dead gateway had RabbitMQ gives to the next.

The client is aio-pika, which lives in the gateway's loop.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aio_pika
from aio_pika.connection import make_url
from aio_pika.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
)

from .queue import Message
from .queue_source import QueueSource
from .source import Backlog, SourceError
from .source_access import judge, read_access, tls_context, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

    from .source import PolledMapping

__all__ = ["RabbitSource"]

CONNECT_SECONDS = 10.0
MOST_PREFETCHED = 1_000
"""Messages of smaller batches that may be here at once."""
AGAIN_SECONDS = 1.0
"""Before what failed goes back to its queue: it comes again at once."""


class RabbitQueue:
    """A queue, connected again whenever messages are wanted and it is not."""

    visibility = 30.0
    """Seconds that a throttled batch is tried for; messages stay here by themselves."""

    def __init__(self, polled: PolledMapping) -> None:
        spec = polled.mapping.spec
        self.largest_receive = polled.batch_size
        self._polled = polled
        self._name = spec.queues[0]
        named = [one.uri for one in spec.source_access_configurations if one.type == "VIRTUAL_HOST"]
        self._virtual_host = named[0] if named else "/"
        head = {"eventSource": "aws:rmq", "eventSourceArn": spec.event_source_arn}
        self.frame = (
            json.dumps(head, separators=(",", ":")).encode()[:-1]
            + b',"rmqMessagesByQueue":{'
            + json.dumps(f"{self._name}::{self._virtual_host}").encode()
            + b":[",
            b"]}}",
        )
        self._connection: aio_pika.Connection | None = None
        self._connected = False
        self._delivered: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        """None where the connection ended."""
        self._opening = asyncio.Lock()
        self._ready = 0
        """Messages that nobody had when the queue was found."""

    async def find(self) -> None:
        """Connect and find the queue; raises SourceError."""
        await self._open(consuming=False)

    async def begin(self) -> None:
        """Connect and have messages delivered, unless that is so; raises SourceError."""
        await self._open(consuming=True)

    async def _open(self, *, consuming: bool) -> None:
        async with self._opening:
            if self._connected:
                return
            await self.close()
            place = await self._place()
            try:
                self._connection = await self._make_connection(place)
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._connection.connect()
                    self._delivered = await self._consume(self._connection, consuming=consuming)
                self._connection.close_callbacks.add(self._ended)
                self._connected = True
            except ProbableAuthenticationError as error:
                raise SourceError(f"{place} refuses access: {error}", "AccessDenied") from error
            except ChannelNotFoundEntity as error:
                raise SourceError(f"{place}: {error}", "NotFound") from error
            except (AMQPError, OSError, TimeoutError) as error:
                said = str(error) or type(error).__name__
                raise SourceError(f"{place} cannot be reached: {said}") from error

    async def backlog(self) -> Backlog:
        """Say what waited when the queue was found; what consumers have RabbitMQ does not tell."""
        return Backlog(self._ready)

    async def close(self) -> None:
        """Let go of the connection, and so of all messages that are not settled."""
        if self._connection is not None:
            with suppress(AMQPError, OSError):
                await self._connection.close()

    async def _place(self) -> str:
        services, reference = self._polled.services, self._polled.reference
        named = await services.aws_credentials.endpoint(
            "mq", reference.namespace, self._polled.mapping.spec.endpoint
        )
        if named is None:
            raise SourceError(
                "no endpoint is named: amqp://host:port or amqps://host:port is expected in "
                "spec.endpoint, or as AWS_ENDPOINT_URL_MQ in the account's Secret",
                "Invalid",
            )
        return named.rstrip("/")

    async def _make_connection(self, place: str) -> aio_pika.Connection:
        url, access = urlsplit(place), await read_access(self._polled)
        port = url.port or (5671 if url.scheme == "amqps" else 5672)
        await judge(self._polled.services.settings, url.hostname or "", port)
        user, password = values_of(
            access.get("BASIC_AUTH", {}), "BASIC_AUTH", "username", "password"
        )
        given = make_url(
            host=url.hostname or "", port=port, login=user, password=password,
            virtualhost=self._virtual_host, ssl=url.scheme == "amqps",
        )  # fmt: skip
        context = tls_context(access) if url.scheme == "amqps" else None
        return aio_pika.Connection(given, ssl_context=context)

    def _ended(self, *_: object) -> None:
        self._connected = False
        self._delivered.put_nowait(None)

    async def _consume(
        self, connection: aio_pika.Connection, *, consuming: bool
    ) -> asyncio.Queue[AbstractIncomingMessage | None]:
        """Return where messages are delivered to."""
        delivered: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

        async def deliver(message: AbstractIncomingMessage) -> None:
            delivered.put_nowait(message)

        channel = await connection.channel()
        prefetched = max(self.largest_receive, min(MOST_PREFETCHED, 5 * self.largest_receive))
        await channel.set_qos(prefetch_count=prefetched)
        queue: AbstractQueue = await channel.declare_queue(self._name, passive=True)
        self._ready = queue.declaration_result.message_count or 0
        if consuming:
            await queue.consume(deliver)
        return delivered

    async def receive(self, most: int, wait_seconds: float) -> list[Message]:
        """Return messages, waiting for the first; raises SourceError."""
        await self.begin()
        found: list[Message] = []
        try:
            # What is delivered already is there after a turn of the loop.
            first = await asyncio.wait_for(self._delivered.get(), max(wait_seconds, 0.05))
        except TimeoutError:
            return found
        while first is not None:
            found.append(_message(first))
            if len(found) == most or self._delivered.empty():
                return found
            first = self._delivered.get_nowait()
        self._delivered.put_nowait(None)  # for whoever waits, too
        if not found:
            raise SourceError(f"{await self._place()}: the connection ended")
        return found

    async def delete(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages; of an earlier connection they are the queue's again."""
        for message in messages:
            with suppress(ChannelInvalidStateError):
                await message.source.ack()

    async def hide(self, messages: Sequence[Message], seconds: float) -> None:
        """Do nothing: what is not settled is nobody else's."""

    async def give_back(self, messages: Sequence[Message], seconds: float) -> None:
        """Return messages to their queue."""
        await asyncio.sleep(min(seconds, AGAIN_SECONDS))
        for message in messages:
            with suppress(ChannelInvalidStateError):
                await message.source.nack(requeue=True)


def _message(given: AbstractIncomingMessage) -> Message:
    """Make of a message what a function sees (Developer Guide, "Using Lambda with Amazon MQ")."""
    properties = {
        "contentType": given.content_type,
        "contentEncoding": given.content_encoding,
        "headers": {name: _header(value) for name, value in given.headers.items()},
        "deliveryMode": int(given.delivery_mode) if given.delivery_mode else None,
        "priority": given.priority,
        "correlationId": given.correlation_id,
        "replyTo": given.reply_to,
        "expiration": _expiration(given.expiration),
        "messageId": given.message_id,
        "timestamp": _timestamp(given.timestamp) if given.timestamp else None,
        "type": given.type,
        "userId": given.user_id,
        "appId": given.app_id,
        "clusterId": given.cluster_id or None,
        "bodySize": len(given.body),
    }
    record = {
        "basicProperties": properties,
        "redelivered": bool(given.redelivered),
        "data": base64.b64encode(given.body).decode(),
    }
    return Message(str(given.delivery_tag), "", record, source=given)


def _header(value: Any) -> Any:
    """Show texts as bytes, as they are to Lambda's client; other values as JSON has them."""
    if isinstance(value, str | bytes | bytearray):
        return {"bytes": list(value.encode() if isinstance(value, str) else value)}
    if isinstance(value, dict):
        return {name: _header(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_header(one) for one in value]
    return value if isinstance(value, bool | int | float | None) else str(value)


def _expiration(given: Any) -> str | None:
    """Write it as RabbitMQ does: in milliseconds."""
    return None if given is None else str(round(float(given) * 1000))


def _timestamp(moment: datetime) -> str:
    return f"{moment:%b} {moment.day}, {moment.year}, {moment:%I:%M:%S %p}".replace(", 0", ", ")


RabbitSource = partial(QueueSource, make=RabbitQueue)
