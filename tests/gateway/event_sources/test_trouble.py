"""A source that goes, refuses or is not to be reached: the mapping says why, and goes on by itself.

Between the platform and a real ElasticMQ stands a proxy, which a test may let refuse.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from pilotlight.aws.client import AwsClients, AwsError
from pilotlight.aws.credentials import SECRET, AwsCredentials
from pilotlight.cache import Cache
from pilotlight.resources import ObjectMeta, Secret
from pilotlight_gateway.event_sources.sqs import SERVICE
from pilotlight_gateway.settings import Settings
from tests.support.elasticmq import ACCOUNT, REGION
from tests.support.memory import MemoryResources
from tests.support.ports import free_port

from .conftest import bodies, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pilotlight.aws.client import AwsClient

    from .conftest import Polling

REFUSALS = {
    "revoked": (403, "UnrecognizedClientException", "The security token is invalid.", {}),
    "throttled": (
        400, "ThrottlingException", "Rate exceeded", {"x-amzn-query-error": "Throttling;Sender"},
    ),
    "broken": (500, "InternalFailure", "Something went wrong", {}),
}  # fmt: skip


class Proxy:
    """Hands requests on, or refuses them as `refusal` says."""

    def __init__(self, target: str) -> None:
        self.refusal: str | None = None
        self.authorizations: set[str] = set()
        self.port = free_port()
        self._target = target
        self._runner: web.AppRunner

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        self.authorizations.add(request.headers["Authorization"])
        if self.refusal is not None:
            status, code, said, headers = REFUSALS[self.refusal]
            return web.json_response(
                {"__type": code, "message": said}, status=status, headers=headers
            )
        kept = {name: request.headers[name] for name in ("X-Amz-Target", "Content-Type")}
        async with (
            ClientSession() as session,
            session.post(self._target, data=await request.read(), headers=kept) as answer,
        ):
            return web.Response(body=await answer.read(), status=answer.status)


@pytest.fixture
def proxy(polling: Polling) -> Iterator[Proxy]:
    found = Proxy(polling.mq.url)
    polling.harness.call(found.start())
    yield found
    polling.harness.call(found.stop())


@pytest.mark.parametrize(
    ("refusal", "reason", "text"),
    [
        ("revoked", "AccessDenied", "The security token is invalid."),
        ("throttled", "Unreachable", "SQS Error Code: Throttling"),
        ("broken", "Unreachable", "Something went wrong"),
        ("away", "Unreachable", "cannot be reached"),
    ],
)
def test_trouble_is_said_and_ends_by_itself(
    polling: Polling, proxy: Proxy, refusal: str, reason: str, text: str
) -> None:
    """Whatever it is: the reason in the condition, the text in state and result, then the rest."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    function, ledger = polling.function()
    applied = {
        "apiVersion": "pilotlight.dev/v1alpha1", "kind": "EventSourceMapping",
        "metadata": {"name": queue},
        "spec": {
            "function": function, "eventSourceArn": polling.arn(queue),
            "endpoint": f"http://127.0.0.1:{proxy.port}",
        },
    }  # fmt: skip
    status, _, body = polling.harness.post("/-/apply", json.dumps(applied).encode())
    assert status == 200
    uuid = json.loads(body)["metadata"]["uid"]
    polling.mq.put(url, ["before"])
    until(lambda: bodies(ledger) == ["before"])
    if refusal == "away":
        polling.harness.call(proxy.stop())
    else:
        proxy.refusal = refusal
    until(lambda: text in polling.mapping(uuid)["StateTransitionReason"])
    found = polling.mapping(uuid)
    assert (found["State"], text in found["LastProcessingResult"]) == ("Enabled", True)
    stored = json.loads(polling.harness.get(f"/-/eventsourcemappings/{queue}")[2])
    assert stored["status"]["conditions"][0]["reason"] == reason
    polling.mq.put(url, ["during"])
    if refusal == "away":
        polling.harness.call(proxy.start())
    proxy.refusal = None
    until(lambda: polling.mq.counts(url) == (0, 0), 60)
    assert bodies(ledger) == ["before", "during"]
    until(lambda: polling.mapping(uuid)["StateTransitionReason"] == "USER_INITIATED")
    polling.client.delete_event_source_mapping(UUID=uuid)


@asynccontextmanager
async def client(
    url: str | None, secret: dict[str, str], **settings: Any
) -> AsyncIterator[AwsClient]:
    """Make a client of an account that has a Secret, as a cluster's gateway would."""
    cache = Cache(MemoryResources())
    metadata = ObjectMeta(name=SECRET, namespace="team")
    await cache.resources.create(Secret(metadata=metadata, string_data=secret))
    chosen = Settings(REGION, b"key", **settings)
    clients = AwsClients(chosen, AwsCredentials(chosen, cache))
    yield clients.client(SERVICE, namespace="team", account=ACCOUNT, region=REGION, url=url)
    await clients.close()


KEYS = {"accessKeyId": "AKIDOFTEAM", "secretAccessKey": "x"}


async def test_a_tenant_reaches_no_private_address(polling: Polling) -> None:
    """Neither by a mapping's endpoint nor by the account's Secret, unless the admin lists it."""
    url = polling.mq.url
    for named, secret in ((url, KEYS), (None, KEYS | {"AWS_ENDPOINT_URL_SQS": url})):
        async with client(named, secret) as refused:
            with pytest.raises(AwsError, match="cannot be reached"):
                await refused.call("ListQueues", {})
        listed = (f"127.0.0.1:{polling.mq.port}",)
        async with client(named, secret, private_sources=listed) as allowed:
            await allowed.call("ListQueues", {})


async def test_what_the_admin_says_may_be_private(polling: Polling) -> None:
    async with client(None, {}, aws_endpoint_url=polling.mq.url) as found:
        assert await found.url() == polling.mq.url
        await found.call("ListQueues", {})


async def test_the_accounts_own_keys_sign(proxy: Proxy) -> None:
    """And nobody else's: the key's id is in every signature."""
    url = f"http://127.0.0.1:{proxy.port}"
    async with client(url, KEYS, private_addresses=True) as found:
        await found.call("ListQueues", {})
    (signed,) = proxy.authorizations
    assert "Credential=AKIDOFTEAM/" in signed
    assert f"/{REGION}/sqs/aws4_request" in signed


async def test_an_account_without_keys_calls_nothing_at_aws() -> None:
    async with client(None, {"other": "x"}) as found:
        with pytest.raises(AwsError, match="accessKeyId and secretAccessKey are expected"):
            await found.call("ListQueues", {})
