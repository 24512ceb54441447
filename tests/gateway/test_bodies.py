"""Compressed bodies of services' requests: decompressed within the limit, or refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol

from pilotlight_gateway.bodies import Bodies, decompress
from pilotlight_gateway.errors import (
    ApiError,
    RequestTooLargeError,
    UnsupportedMediaTypeError,
    ValidationError,
)
from tests.support.http_client import fetch

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

INVOCATIONS = "/2015-03-31/functions/unpacked/invocations"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(b"{}")), ("deflate", zlib.compress(b"{}")), ("", b"{}"),
     ("GZIP", gzip.compress(b"{}")), ("identity", b"{}")],
    ids=["gzip", "deflate", "nothing", "GZIP", "identity"],
)  # fmt: skip
def test_what_is_decompressed(encoding: str, body: bytes) -> None:
    """What SDKs send, RFC 9110's names in any case."""
    assert decompress(body, encoding, 2, RequestTooLargeError) == b"{}"


@pytest.mark.parametrize(
    ("encoding", "body", "error"),
    [
        ("gzip", b"{}", ValidationError),
        ("gzip", gzip.compress(b"{}")[:-1], ValidationError),
        ("gzip", gzip.compress(b"{}") + b"more", ValidationError),
        ("gzip", b"", ValidationError),
        ("br", b"{}", UnsupportedMediaTypeError),
        ("gzip", gzip.compress(b"x" * 3), RequestTooLargeError),
        ("gzip", gzip.compress(bytes(50_000_000)), RequestTooLargeError),
    ],
    ids=["plain", "cut", "more", "empty", "unknown", "large", "bomb"],
)
def test_what_is_refused(encoding: str, body: bytes, error: type[ApiError]) -> None:
    """A bomb is never held: no more than the limit is unpacked."""
    with pytest.raises(error):
        decompress(body, encoding, 2, RequestTooLargeError)


async def test_a_body_whose_connection_is_lost_already_was_cut_off() -> None:
    """Its request waited behind another, whose client went away; nothing of it is our failure."""
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 1 << 16, loop=loop)
    request: Any = SimpleNamespace(content=content, content_length=5, headers={})
    bodies = Bodies(10)
    with pytest.raises(ValidationError, match="cut off"):
        async with bodies.reading(request, 10, RequestTooLargeError):
            pass
    assert bodies.budget.left == 10


async def test_one_who_sends_slowly_holds_up_nobody_else() -> None:
    """It has half of the memory, and waits for itself."""
    bodies = Bodies(100)
    async with bodies.room(80, owner="slow"):
        assert bodies.budget.left == 50
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), bodies.room(1, owner="slow"):
                pass
        async with bodies.room(50, owner="other"):
            assert bodies.budget.left == 0
    assert bodies.budget.left == 100


def test_an_event_may_be_compressed(platform: GatewayHarness) -> None:
    """The Lambda API takes what SDKs compress; a bomb is a 413."""
    platform.create("unpacked", "def handler(event, context):\n    return event\n")
    headers = {"Content-Encoding": "gzip"}
    event = json.dumps({"a": "b" * 1000}).encode()
    got = fetch(platform.port, INVOCATIONS, method="POST", headers=headers,
                body=gzip.compress(event))  # fmt: skip
    assert (got.status, got.json()) == (200, {"a": "b" * 1000})
    bomb = gzip.compress(bytes(20_000_000))
    got = fetch(platform.port, INVOCATIONS, method="POST", headers=headers, body=bomb)
    assert (got.status, got.header("x-amzn-errortype")) == (413, "RequestTooLargeException")
