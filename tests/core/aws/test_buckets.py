"""Objects of buckets that tenants place: read within bounds, and nowhere that is private."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pilotlight.aws.buckets import BucketError, Buckets
from pilotlight.aws.client import AwsClients
from pilotlight.aws.credentials import SECRET, AwsCredentials, AwsSettings
from pilotlight.cache import Cache
from pilotlight.resources import ObjectMeta, S3Object, Secret
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OBJECT = S3Object(bucket="bucket", key="a.zip")


@asynccontextmanager
async def answering(*pieces: bytes, private: bool = True) -> AsyncIterator[Buckets]:
    """Serve these bytes, then nothing more, at the place that an account's Secret names."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            await reader.read()  # until the other side has enough
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    place = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    cache = Cache(MemoryResources())
    values = {"accessKeyId": "A", "secretAccessKey": "x", "AWS_ENDPOINT_URL_S3": place}
    metadata = ObjectMeta(name=SECRET, namespace="team")
    await cache.resources.create(Secret(metadata=metadata, string_data=values))
    settings = AwsSettings(private_addresses=private)
    credentials = AwsCredentials(settings, cache)
    clients = AwsClients(settings, credentials)
    try:
        yield Buckets("us-east-1", credentials, clients)
    finally:
        await clients.close()
        server.close()


async def read(buckets: Buckets, seconds: float = 5.0) -> bytes:
    return await buckets.read(OBJECT, namespace="team", account="1", limit=10, seconds=seconds)


def head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()


async def test_an_object_is_read_whole() -> None:
    async with answering(head(10), b"01234", b"56789") as buckets:
        assert await read(buckets) == b"0123456789"


async def test_what_is_announced_as_too_large_is_not_read() -> None:
    async with answering(head(11)) as buckets:
        with pytest.raises(BucketError, match="EntityTooLarge"):
            await read(buckets)


async def test_what_becomes_too_large_is_given_up() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with answering(chunked, b"b\r\n01234567890\r\n") as buckets:
        with pytest.raises(BucketError, match="EntityTooLarge"):
            await read(buckets)


async def test_a_bucket_that_stalls_is_given_up() -> None:
    async with answering(head(10), b"01234") as buckets:
        with pytest.raises(BucketError, match="cannot be reached"):
            await read(buckets, seconds=0.2)


async def test_a_private_place_is_not_reached_and_not_told_of() -> None:
    async with answering(head(10), b"0123456789", private=False) as buckets:
        with pytest.raises(BucketError, match="cannot be reached on the public internet"):
            await read(buckets)
