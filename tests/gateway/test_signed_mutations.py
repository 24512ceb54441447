"""A signed request with one byte changed is refused, or means what was signed.

Requests that botocore signs, of several operations and services, are sent with a byte changed,
added or taken away, anywhere: to the invocation server, and to aiohttp alone. What a gateway would
do is noted where it would do it, behind its authentication. `make fuzz` sends a hundred thousand.
"""

from __future__ import annotations

import os
import random
import socket
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pilotlight_gateway.auth.access_keys import AccessKey
from pilotlight_gateway.auth.sigv4 import SigV4Authenticator
from pilotlight_gateway.exchange import Reply
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pilotlight_gateway.apis.service import Endpoint, Request
    from pilotlight_gateway.auth.access_keys import AccessKeys
    from pilotlight_gateway.auth.caller import Caller
    from pilotlight_gateway.pipeline import Pipeline

MUTATIONS = int(os.environ.get("PILOTLIGHT_MUTATIONS", "2000"))
SEED = 16
SILENT_SECONDS = 0.03
"""How long an answer may take; a request whose length was changed has none."""
SECRETS = {"AKIDALICE": "alice's", "AKIDALICF": "another's"}
FUNCTIONS = "/2015-03-31/functions"
INVOKE = f"{FUNCTIONS}/echo/invocations"
ARN = f"arn%3Aaws%3Alambda%3A{REGION}%3A{ACCOUNT}%3Afunction%3Aecho"
LOGS = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups",
        "Content-Type": "application/x-amz-json-1.1"}  # fmt: skip
REQUESTS: tuple[tuple[str, str, str, bytes, dict[str, str]], ...] = (
    ("lambda", "POST", INVOKE, b'{"key": "value"}', {}),
    ("lambda", "POST", f"{INVOKE}?Qualifier=live", b"[1, 2]", {"X-Amz-Log-Type": "Tail"}),
    ("lambda", "POST", INVOKE.replace("echo", "echo%3A1"), b"", {"X-Amz-Client-Context": "e30="}),
    ("lambda", "POST", INVOKE, b"1" * 70_000, {"X-Amz-Invocation-Type": "Event"}),
    ("lambda", "GET", f"{FUNCTIONS}/echo?Qualifier=1", b"", {"User-Agent": "some/1.0 client"}),
    ("lambda", "GET", f"{FUNCTIONS}?FunctionVersion=ALL&MaxItems=10", b"", {}),
    ("lambda", "PUT", f"{FUNCTIONS}/echo/configuration", b'{"Timeout": 30}', {}),
    ("lambda", "DELETE", f"{FUNCTIONS}/echo?Qualifier=12", b"", {"Accept": "*/*"}),
    ("lambda", "POST", f"/2017-03-31/tags/{ARN}", b'{"Tags": {"a": "b"}}', {}),
    ("lambda", "DELETE", f"/2017-03-31/tags/{ARN}?tagKeys=a%20b&tagKeys=c", b"", {}),
    ("lambda", "PUT", "/2017-10-31/functions/echo/concurrency",
     b'{"ReservedConcurrentExecutions": 10}', {}),
    ("logs", "POST", "/", b'{"logGroupNamePrefix": "/aws/lambda"}', LOGS),
)  # fmt: skip


class Keys:
    """The access keys of a cluster that has two."""

    async def find(self, access_key: str) -> AccessKey | None:
        """Find a key."""
        secret = SECRETS.get(access_key)
        return AccessKey(access_key, secret, "default", ACCOUNT) if secret else None


class Meaning(NamedTuple):
    """What a gateway would do."""

    operation: str
    parameters: dict[str, str]
    query: list[tuple[str, str]]
    input: dict[str, Any]
    body: bytes
    caller: Caller
    headers: dict[str, str]
    """Those that may say something to an operation."""


def _meaning(head: Request, endpoint: Endpoint, caller: Caller, body: bytes) -> Meaning:
    headers = {
        name.lower(): " ".join(value.split(" "))
        for name, value in head.headers.items()
        if name.lower().startswith(("x-amz-", "content-type"))
    }
    read = endpoint.input(head.query, head.headers, body) if endpoint.input else {}
    query = sorted(head.query.items())
    return Meaning(endpoint.operation, endpoint.parameters, query, read, body, caller, headers)


class Noted:
    """A gateway that does nothing, and notes what it would do."""

    def __init__(self, harness: GatewayHarness) -> None:
        self.meanings: list[Meaning] = []
        gateway = harness.gateway
        pipeline = cast("Any", gateway._clients)
        pipeline._perform = self._perform
        handle = cast("Pipeline", pipeline).handle
        alone = harness.call(gateway._server.listen(handle, "127.0.0.1", 0))
        self.ports = (harness.port, alone)

    async def _perform(
        self, head: Request, endpoint: Endpoint, caller: Caller, body: bytes, *_: str
    ) -> Reply:
        self.meanings.append(_meaning(head, endpoint, caller, body))
        return Reply(200, b"{}")


class Client:
    """A connection that is made anew where it ended, or has not been answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def send(self, request: bytes) -> None:
        """Send a request, and wait for an answer."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.settimeout(SILENT_SECONDS)
        try:
            self._socket.sendall(request)
            answer = self._socket.recv(1 << 16)
        except OSError:
            answer = b""
        if not answer.startswith(b"HTTP/1.1 200") or b"Connection: close" in answer:
            self.close()

    def close(self) -> None:
        """End it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _signed(place: tuple[str, str, str, bytes, dict[str, str]]) -> bytes:
    service, method, target, body, headers = place
    request = AWSRequest(method, f"http://gateway:8080{target}", data=body, headers=headers)
    credentials = Credentials("AKIDALICE", SECRETS["AKIDALICE"])
    SigV4Auth(credentials, service, REGION).add_auth(request)
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway:8080", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _mutated(request: bytes, chance: random.Random) -> bytes:
    """Change a byte of a request, or add or take one; the head's more often than a large body's."""
    head = request.index(b"\r\n\r\n") + 4
    place = chance.randrange(min(len(request), head + 64))
    byte = bytes([chance.choice((chance.randrange(256), *b" \t\r\n,;:/?&=%+.0aA"))])
    match chance.randrange(4):
        case 0:
            return request[:place] + byte + request[place:]
        case 1:
            return request[:place] + request[place + 1 :]
        case _:
            return request[:place] + byte + request[place + 1 :]


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[Noted]:
    """A gateway whose clock stands."""
    now = datetime.now(UTC)
    keys = cast("AccessKeys", Keys())
    harness = GatewayHarness(tmp_path, authenticator=SigV4Authenticator(keys, REGION, lambda: now))
    yield Noted(harness)
    harness.close()


@pytest.mark.timeout(3600)
def test_no_changed_request_means_something_else(noted: Noted) -> None:
    """And what was signed is done, before and after."""
    chance, requests = random.Random(SEED), [_signed(one) for one in REQUESTS]
    with closing(Client(noted.ports[0])) as ours, closing(Client(noted.ports[1])) as aiohttps:
        clients = (ours, aiohttps)
        for request in requests:
            ours.send(request)
        meant = list(noted.meanings)
        assert len(meant) == len(requests)
        for number in range(MUTATIONS):
            mutated = _mutated(chance.choice(requests), chance)
            before = len(noted.meanings)
            clients[number % 2].send(mutated)
            for done in noted.meanings[before:]:
                assert done in meant, (mutated[:2_000], done)
        assert len(noted.meanings) > len(meant), "headers that nobody signs may be changed"
        for request in requests:
            aiohttps.send(request)
        assert noted.meanings[-len(meant) :] == meant
