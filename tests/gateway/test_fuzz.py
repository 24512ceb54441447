"""Whatever strangers send is answered: never with a 500, never with a page, and on time.

Requests are made of good ones and of rubbish, by a seed, and sent over connections that are kept.
One gateway believes everybody, as on one machine; the other, as on a cluster, nobody who cannot
sign, so that what is behind authentication and what is before it are both met.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import socket
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from pilotlight_gateway.auth.sigv4 import SigV4Authenticator
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness
from tests.wire.test_archive import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

    from pilotlight_gateway.auth.access_keys import AccessKey, AccessKeys

T = TypeVar("T")

REQUESTS = {"everybody": 14_000, "who signs": 6_000}
"""By whom a gateway believes."""
SEED = 12
NAME = "fuzzed"
_METHODS = (*("GET", "POST", "PUT", "DELETE") * 3, "POST", "PATCH", "HEAD", "OPTIONS", "TRACE")
_PATHS = (
    "/2015-03-31/functions",
    f"/2015-03-31/functions/{NAME}",
    f"/2015-03-31/functions/{NAME}/invocations",
    f"/2015-03-31/functions/{NAME}/configuration",
    f"/2015-03-31/functions/{NAME}/code",
    f"/2015-03-31/functions/{NAME}/versions",
    f"/2015-03-31/functions/{NAME}/aliases",
    f"/2015-03-31/functions/{NAME}/aliases/live",
    f"/2014-11-13/functions/{NAME}/invoke-async/",
    f"/2017-10-31/functions/{NAME}/concurrency",
    f"/2019-09-25/functions/{NAME}/event-invoke-config",
    f"/2019-09-30/functions/{NAME}/provisioned-concurrency",
    f"/2021-10-31/functions/{NAME}/url",
    f"/2017-03-31/tags/arn:aws:lambda:us-east-1:{ACCOUNT}:function:{NAME}",
    "/2016-08-19/account-settings",
    f"/-/artifacts/{'0' * 64}",
    "/-/apply",
    "/-/logs",
    "/-/dead-letters",
    "/-/dead-letters/redrive",
    "/-/functions",
    "/-/routes/x",
    "/-/ready",
    f"/-/fn/{ACCOUNT}/{NAME}/a",
    "/",
)
_RUBBISH = (
    "", "0", "-1", "nan", "inf", "1e400", "9" * 5_000, "\x7f", "%00", "%ff", "%2F", "%2e%2e", "..",
    "//", "é", "①", "\udcff", "\udc80\udcfe", "a" * 3_000, "{}", "[]", "null", '"', "$LATEST", ":",
    "arn:aws:lambda:us-east-1:000000000000:function:x", "#", "?", "&=", "true", "*", "\\", "'",
)  # fmt: skip
_FIELDS = (
    "Qualifier", "Marker", "MaxItems", "FunctionVersion", "function", "limit", "since", "after_id",
    "request_id", "ticket", "tagKeys", "RevisionId", "X-Amz-Credential", "List", "id",
)  # fmt: skip
_HEADERS = (
    "Authorization", "X-Amz-Date", "X-Amz-Invocation-Type", "X-Amz-Log-Type",
    "X-Amz-Client-Context", "X-Amzn-Trace-Id", "X-Amz-Content-Sha256", "Content-Type",
    "Content-Encoding", "Accept", "Cookie", "Origin", "Access-Control-Request-Method",
    "X-Forwarded-For", "Smithy-Protocol", "X-Amz-Target", "Expect", "If-Match", "Range",
)  # fmt: skip
_VALUES = (
    "AWS4-HMAC-SHA256 Credential=k/20260101/r/lambda/aws4_request,SignedHeaders=host,Signature=",
    "AWS4-HMAC-SHA256 Credential=\udcff/d/r/\udcff/aws4_request,SignedHeaders=\udcff;a,Signature=",
    "AWS4-HMAC-SHA256 Credential=k/d/r/sqs/aws4_request,SignedHeaders=,Signature=",
    "AWS4-HMAC-SHA256 ,", f"Bearer {'9' * 5_000}.x", "Event", "RequestResponse", "DryRun", "Tail",
    "gzip", "deflate", "br", "application/json", "application/x-amz-json-1.1", "rpc-v2-cbor",
    "application/x-www-form-urlencoded", "text/html", "20260101T000000Z",
    base64.b64encode(b"[" * 1_000).decode(), base64.b64encode(b"{}").decode(),
)  # fmt: skip
_MEMBERS = (
    "FunctionName", "Role", "Runtime", "Handler", "Code", "Timeout", "MemorySize", "Environment",
    "Cors", "AuthType", "Name", "Qualifier", "ReservedConcurrentExecutions", "ZipFile", "Tags",
    "MaximumRetryAttempts", "DestinationConfig", "kind", "apiVersion", "metadata", "spec",
    "RoutingConfig", "Layers", "EphemeralStorage", "Architectures", "TracingConfig",
)  # fmt: skip
_DOCUMENTS = (
    b"", b"{}", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"1e999",
    b"9" * 10_000, b'"\\ud800"', b'{"a": NaN}', b'{"__type": 1}', b"\x1f\x8b\x08\x00" + b"\0" * 20,
)  # fmt: skip


_HOSTS = (*["x"] * 12, "x.lambda-url.us-east-1.localhost", "[::1]:1", "[::1", "é", "\udcff", "a b")
_CREATE = {
    "FunctionName": "made", "Role": f"arn:aws:iam::{ACCOUNT}:role/r", "Runtime": "python3.13",
    "Handler": "index.handler", "AuthType": "NONE", "Name": "live", "FunctionVersion": "$LATEST",
    "Code": {"ZipFile": base64.b64encode(HOSTILE["no name"]()).decode()},
}  # fmt: skip


class Rubbish:
    """Requests by a seed."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)

    def request(self) -> tuple[str, bytes]:
        """Make one; returns its method and its bytes. Only its framing is sure to be right."""
        method, body = self._of(_METHODS), self._body()
        target = self._target()
        if method == "DELETE":  # what is asked for stays there to the end
            target = target.replace(NAME, "another")
        lines = [f"{method} {target} HTTP/1.1", f"Content-Length: {len(body)}"]
        lines.append(f"Host: {self._of(_HOSTS)}")
        lines += [self._header() for _ in range(self._of((0, 0, 1, 2, 5)))]
        return method, ("\r\n".join(lines) + "\r\n\r\n").encode(errors="surrogateescape") + body

    def _target(self) -> str:
        path = self._of(_PATHS)
        if self._seldom():
            place = self._random.randrange(len(path))
            path = path[:place] + self._of(_RUBBISH) + path[place:]
        fields = [
            f"{self._of(_FIELDS)}={self._of(_RUBBISH)}" for _ in range(self._of((0, 0, 1, 3)))
        ]
        if self._seldom():
            fields *= 40
        return (f"{path}?{'&'.join(fields)}" if fields else path).replace(" ", "")

    def _header(self) -> str:
        return f"{self._of(_HEADERS)}: {self._of(self._of((_VALUES, _RUBBISH)))}".replace(
            "\x7f", ""
        )

    def _body(self) -> bytes:
        match self._random.randrange(4):
            case 0:
                return b""
            case 1:
                return self._of(_DOCUMENTS)
            case 2:
                return json.dumps({self._of(_MEMBERS): self._value() for _ in range(3)}).encode()
            case _:
                return json.dumps(_CREATE | {self._of(_MEMBERS): self._value()}).encode()

    def _value(self, depth: int = 0) -> Any:
        if depth > 2 or not self._seldom():
            return self._of((*_RUBBISH, 0, -1, 1e308, float("nan"), None, True, [], {}))
        nested = self._value(depth + 1)
        return (
            nested if self._seldom() else {self._of(_MEMBERS): nested, self._of(_RUBBISH): [nested]}
        )

    def _of(self, choices: tuple[T, ...]) -> T:
        return self._random.choice(choices)

    def _seldom(self) -> bool:
        return self._random.random() < 0.2


class Connection:
    """A connection that is made anew where it ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def exchange(self, method: str, request: bytes) -> http.client.HTTPResponse:
        """Send a request and read its answer whole."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=20)
        self._socket.sendall(request)
        answer = http.client.HTTPResponse(self._socket, method=method)
        answer.begin()
        answer.read()
        if answer.will_close:
            self.close()
        return answer

    def close(self) -> None:
        """End it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class NoKeys:
    """The access keys of a cluster that has none."""

    async def find(self, access_key: str) -> AccessKey | None:
        """Find nobody."""
        del access_key  # whoever it is
        return None


@pytest.fixture(params=REQUESTS)
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A gateway of its own for each, and how many requests it gets."""
    keys = cast("AccessKeys", NoKeys())
    signed = SigV4Authenticator(keys, REGION) if request.param == "who signs" else None
    harness = GatewayHarness(tmp_path, authenticator=signed)
    if signed is None:
        harness.create(NAME, "def handler(event, context):\n    return event\n")
        harness.open_url(NAME)
    yield harness, REQUESTS[request.param]
    harness.close()


def test_whatever_comes_is_answered(gateway: tuple[GatewayHarness, int]) -> None:
    """No answer is a 500, which would be a case that nobody thought of, and none is a page."""
    harness, requests = gateway
    rubbish, connection = Rubbish(), Connection(harness.port)
    for _ in range(requests):
        method, request = rubbish.request()
        answer = connection.exchange(method, request)
        assert answer.status != 500, request[:2_000]
        assert "html" not in answer.headers.get("Content-Type", ""), request[:2_000]
        assert answer.headers["Server"] == "Pilotlight"
    connection.close()
