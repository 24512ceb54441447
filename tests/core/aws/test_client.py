"""The client of AWS's services: what stands in for one may answer anything, and harms nobody."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from pilotlight.aws.client import LARGEST_ANSWER, AwsClients, AwsError
from pilotlight.aws.credentials import SECRET, AwsCredentials
from pilotlight.cache import Cache
from pilotlight.resources import ObjectMeta, Secret
from pilotlight_gateway.event_sources.sqs import SERVICE
from pilotlight_gateway.settings import Settings
from tests.support.memory import MemoryResources
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REGION = "us-east-1"


class Service:
    """What stands in for a service, and the client of an account that reaches it."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.cookies: list[str] = []
        self.port = free_port()
        self.clients: AwsClients
        self.runner: web.AppRunner

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._serve)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.clients = await clients({}, private_addresses=True)

    async def call(self, url: str | None = None) -> dict[str, Any]:
        return await call(self.clients, url or f"http://127.0.0.1:{self.port}")

    async def _serve(self, request: web.Request) -> web.Response:
        self.cookies += request.cookies
        status, body = self.answer
        answer = web.Response(body=body, status=status)
        answer.set_cookie("session", "x")
        return answer


async def clients(secret: dict[str, str], **settings: Any) -> AwsClients:
    cache = Cache(MemoryResources())
    metadata = ObjectMeta(name=SECRET, namespace="team")
    keys = {"accessKeyId": "AKID", "secretAccessKey": "x"}
    await cache.resources.create(Secret(metadata=metadata, string_data=keys | secret))
    chosen = Settings(REGION, b"key", **settings)
    return AwsClients(chosen, AwsCredentials(chosen, cache))


async def call(found: AwsClients, url: str | None) -> dict[str, Any]:
    client = found.client(SERVICE, namespace="team", account="1", region=REGION, url=url)
    return await client.call("ListQueues", {})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    found = Service()
    await found.start()
    yield found
    await found.clients.close()
    await found.runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"[" * 200_000), (400, b'{"a":' * 200_000), (200, b"\xff\xfe"), (200, b"1" * 5000),
        (400, b'{"message": "' + b"x" * 3_000_000 + b'"}'), (400, b'{"message": "\\ud800"}'),
        (400, b'{"message": "\\u001b[2J\\u0000"}'), (400, b'{"message": {"a": 1}, "__type": [1]}'),
        (400, b'{"__type": "' + b"x" * 9999 + b'"}'),
    ],
)  # fmt: skip
async def test_strange_answers_are_errors_that_a_status_can_hold(
    service: Service, status: int, body: bytes
) -> None:
    service.answer = status, body
    with pytest.raises(AwsError) as caught:
        await service.call()
    said = str(caught.value) + caught.value.service_code
    assert len(said.encode()) < 1100
    assert said.isprintable()
    assert service.clients.answers.left == 2 * LARGEST_ANSWER


@pytest.mark.parametrize(
    "body",
    [
        b'{"Messages":[' + b"[]," * 5_000_000 + b"[]]}",
        b'{"Messages":[' + b'"",' * 5_000_000 + b'""]}',
        b'"\\' * 5_000_000,
        b"x" * (LARGEST_ANSWER + 1),
    ],
    ids=["arrays", "texts", "quotes", "bytes"],
)
async def test_a_large_answer_costs_little_more_than_its_bytes(
    service: Service, body: bytes
) -> None:
    """Parsed, five million empty arrays would be half a gigabyte."""
    service.answer = 200, body
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(AwsError):
            await service.call()
        assert tracemalloc.get_traced_memory()[1] >> 20 < 160
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 10


async def test_cookies_of_services_are_not_kept(service: Service) -> None:
    """The connections are all accounts'; what one's service sets, another's would get."""
    await service.call(f"http://localhost:{service.port}")
    await service.call(f"http://localhost:{service.port}")
    assert service.cookies == []


@pytest.mark.parametrize(
    "url", ["http://[", "http://\u2100.com", "http://a:99999", "http://a\x00b"]
)
async def test_what_is_no_address_cannot_be_reached(service: Service, url: str) -> None:
    with pytest.raises(AwsError, match="cannot be reached"):
        await service.call(url)


async def test_a_private_address_is_told_from_none_by_nobody() -> None:
    """Else a tenant reads the names of the cluster's network, and which ports are open."""
    found = await clients({})
    said = set()
    for url in ("http://localhost:1", "http://nowhere.invalid:1"):
        with pytest.raises(AwsError) as caught:
            await call(found, url)
        said.add(str(caught.value).removeprefix(url))
    assert said == {" cannot be reached on the public internet"}
    await found.close()
