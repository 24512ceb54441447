"""Requests without aiohttp are answered as they are with it: the same verdicts, byte for byte.

One gateway listens twice, once for all requests and once with aiohttp alone. What is sent is made
of good invocations, requests to a function URL and to routes, and rubbish, by a seed, over
connections that are kept for as long as both keep them; behind each stands a request whose answer
tells that all before it has been answered. `make fuzz` sends a hundred thousand.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pilotlight.resources import ObjectMeta, Route, RouteSpec
from pilotlight_gateway.pipeline import ClientPipeline
from tests.support.gateway import GatewayHarness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from pathlib import Path

    from pilotlight_gateway.exchange import Reply
    from pilotlight_gateway.plain_request import PlainRequest

REQUESTS = int(os.environ.get("PILOTLIGHT_FUZZ", "3000"))
SEED = 15
SILENT_SECONDS = 0.4
MARKED = "/2015-03-31/functions/{}"
ATTEMPTS = 5
NAME = "echo"
PATH = f"/2015-03-31/functions/{NAME}/invocations"
URL = "/-/fn/000000000000/web"
STREAM = "/-/fn/000000000000/stream"
CORS = {"AllowOrigins": ["https://a.example.com"], "AllowMethods": ["*"], "MaxAge": 60}
SITE = "Host: web.example.com"
WEB = """
import base64, json

ANSWERS = {
    "/204": {"statusCode": 204, "body": "none"},
    "/304": {"statusCode": 304, "headers": {"etag": "x"}, "body": "none"},
    "/299": {"statusCode": 299, "body": ""},
    "/500": {"statusCode": "500", "headers": {"date": "now", "server": "mine"}},
    "/cookies": {"statusCode": 200, "cookies": ["a=b", "c=d"], "headers": {"content-length": "7"}},
    "/bytes": {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True},
    "/large": {"statusCode": 200, "body": "x" * 100_000},
    "/odd": {"statusCode": 200, "headers": {"a": "\\xe9\\u20ac", "b": "", "content-type": "x/y"}},
    "/wrong": {"statusCode": 100},
}


def handler(event, context):
    if event.get("rawPath") in ANSWERS:
        return ANSWERS[event["rawPath"]]
    event.pop("requestContext", None)
    event.get("headers", {}).pop("x-amzn-trace-id", None)
    return json.dumps(event)
"""
"""Answers with what it was asked, but for what differs each time."""

_TARGETS = (
    *[PATH] * 12,
    *(f"{PATH}?Qualifier={text}" for text in ("$LATEST", "7", "a&Qualifier=b", "%00", "%FF", "")),
    f"{PATH}?X-Amz-Credential=k/d/r/sqs/aws4_request",
    *(
        PATH.replace(NAME, name)
        for name in (
            f"{NAME}:$LATEST", f"{NAME}%3A%24LATEST", "none", "%2e%2e", "..", "a" * 70, "%zz",
            "a:b:c", "denied", "denied:$LATEST",
            f"arn:aws:lambda:us-east-1:222222222222:function:{NAME}",
            f"222222222222:function:{NAME}",
            "arn:aws:lambda:us-east-1:000000000000:function:denied",
            f"arn:aws:lambda:us-east-1:000000000000:function:{NAME}",
            f"arn:aws:lambda:eu-west-1:000000000000:function:{NAME}",
        )
    ),
)  # fmt: skip
_CREDENTIALS = (
    "Authorization: AWS4-HMAC-SHA256 Credential={}/aws4_request,SignedHeaders=a,Signature=0"
)
_SITES = (
    *(URL + path for path in (
        "", "/", "/a/b?c=d&c=e", "/204", "/304", "/299", "/500", "/cookies", "/bytes", "/large",
        "/odd", "/wrong", "/a%2Fb", "/%zz", "//a", "/../b", "/a(b);c=1", "/?a=%FF&b", "/a b",
    )),
    *[f"{STREAM}/a?b=c"] * 3, f"{STREAM}/204", f"{STREAM}/wrong", f"{STREAM}/bytes",
    "/-/fn/000000000000/none/", "/-/fn/1/web/", "/-/fn/", "/hello", "/hello?x=1", "/hello/",
    "/none", "/%68ello", "/keyed", PATH,
)  # fmt: skip
_METHODS = (*["GET"] * 4, "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")
_SITE_HEADERS = (
    "Origin: https://a.example.com", "Access-Control-Request-Method: GET", "Accept: */*",
    "Access-Control-Request-Headers: a", "Cookie: a=b; c=d", "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Proto: https", "Content-Type: text/plain", "Content-Type: application/json",
    "X-Amzn-Trace-Id: Root=1-0-0", "Authorization: Bearer x", "X-Amz-Security-Token: y",
    _CREDENTIALS.format("k/d/r/lambda"), "User-Agent: x", "If-None-Match: x", "Range: bytes=0-1",
)  # fmt: skip
_OTHER_TARGETS = (
    f"{PATH}#x", f"http://x{PATH}", f"{PATH}/", f"/{PATH}", f"{PATH} x", "/-/live", "*",
)  # fmt: skip
_HEADERS = (
    *(f"X-Amz-Invocation-Type: {kind}" for kind in ("RequestResponse", "DryRun", "Event", "x")),
    "X-Amz-Log-Type: None", "X-Amz-Log-Type: y", "X-Amz-Client-Context: e30=",
    "X-Amz-Client-Context: ?", "X-Amz-Tenant-Id: t", "X-Amzn-Trace-Id: x",
    f"X-Amzn-Trace-Id: Root=1-{'0' * 8}-{'0' * 24}", "Content-Type: application/json",
    "Content-Type: application/x-amz-json-1.1", "Smithy-Protocol: rpc-v2-cbor",
    "Authorization: Bearer x", "Authorization: AWS4-HMAC-SHA256 x",
    _CREDENTIALS.format("222222222222/d/r/lambda"), _CREDENTIALS.format("k/d/r/ec2"),
    "Connection: keep-alive", "A:b", "A:  b", "Accept: */*", "Origin: http://x", "X-A: b",
)  # fmt: skip
_OTHER_HEADERS = (
    *(f"Connection: {what}" for what in ("close", "te", "upgrade")), "Expect: 100-continue",
    "Expect: x", "Transfer-Encoding: identity", "Content-Encoding: gzip", "Content-Encoding: br",
    "Upgrade: h2c", "TE: trailers", "A: b ", "A:", "A: \t", "A : b", " A: b", "A b: c", "A: \0",
    "A: \xe9", "a: 1\r\nA: 2", "A: b\rc", f"A: {'b' * 5_000}", f"A: {'b' * 17_000}",
    "\r\n".join(["B: c"] * 130), "Content-Length: 2", "Host: y", "X_Y: z", "X.Y: z",
)  # fmt: skip
_FRAMES = (
    "Host: [::1]:1", "Host: a b", "Host:", "X: y", "Content-Length: 0", "content-length: 3",
    "Content-Length: 02", "Content-Length: -1", "Transfer-Encoding: chunked",
)  # fmt: skip
_LINES = (("GET", "1.1"), ("post", "1.1"), ("PUT", "1.1"), ("POST", "1.0"), ("POST", "2.0"))
_BODIES = (
    *[b'{"key": "value"}'] * 6, b"", b"{}", b"[]", b"null", b"{", b"\xff", b'"\\ud800"', b"NaN",
    b"[1e999]", b"9" * 400, b"9" * 5_000, b"[" * 600 + b"]" * 600, b"[" * 2_000, b'{"a":1,"a":2}',
    b"\xef\xbb\xbf{}", b'{"a": "' + b"b" * 70_000 + b'"}', b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b' "x"\n', b"[01]", b"[1.]", b'"\x01"', b"-0", b"Infinity", b"\0",
)  # fmt: skip
_VARYING = re.compile(
    rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|1-[0-9a-f]{8}-[0-9a-f]{24}|(?<=Date: )[^\r]+"
)
"""Request ids, traces and dates."""


class Requests:
    """Requests by a seed, and how each is cut into pieces."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)

    def next(self) -> tuple[list[bytes], bool]:
        """Make one or a few requests, in pieces; says whether to await an answer behind them."""
        # Of what stands before a broken one aiohttp answers what came in another piece.
        if self._random.random() < 0.4:
            sent = self._of_site()
        elif self._seldom():
            sent = b"".join(self._good() for _ in range(3))
        else:
            sent = self._any()
        cuts = sorted(self._random.randrange(len(sent)) for _ in range(self._cuts()))
        pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
        return pieces, not self._seldom()

    def _cuts(self) -> int:
        return self._random.choice((0, 0, 0, 1, 1, 3))

    def _of_site(self) -> bytes:
        body = self._random.choice(_BODIES) if self._random.random() < 0.5 else b""
        method, target = self._random.choice(_METHODS), self._random.choice(_SITES)
        lines = [SITE if not target.startswith("/-/") or self._seldom() else "Host: x"]
        if body or self._random.random() < 0.3:
            lines.append(f"Content-Length: {len(body)}")
        others = _OTHER_HEADERS if self._seldom() else _SITE_HEADERS
        lines += self._random.choices(others, k=self._random.choice((0, 0, 1, 1, 2, 4)))
        self._random.shuffle(lines)
        return _request((method, "1.0" if self._seldom() else "1.1"), target, lines, body)

    def _good(self) -> bytes:
        body = self._random.choice(_BODIES)
        lines = ["Host: x", f"Content-Length: {len(body)}", self._random.choice(_HEADERS)]
        return _request(("POST", "1.1"), self._random.choice(_TARGETS), lines, body)

    def _any(self) -> bytes:
        body = self._random.choice(_BODIES)
        lines = ["Host: x", f"Content-Length: {len(body)}"]
        if self._seldom():
            lines[self._random.randrange(2)] = self._random.choice(_FRAMES)
        others = _OTHER_HEADERS if self._seldom() else _HEADERS
        lines += self._random.choices(others, k=self._random.choice((0, 0, 1, 1, 2, 4)))
        self._random.shuffle(lines)
        line = self._random.choice(_LINES) if self._seldom() else ("POST", "1.1")
        targets = _OTHER_TARGETS if self._seldom() else _TARGETS
        request = _request(line, self._random.choice(targets), lines, body)
        if self._seldom():
            place = self._random.randrange(len(request) - len(body))
            rubbish = self._random.choice(
                (b"\r", b"\n", b" ", b":", b"\0", b"\x7f", b"\t", b"\xe9")
            )
            request = request[:place] + rubbish + request[place:]
        return request

    def _seldom(self) -> bool:
        return self._random.random() < 0.1


def _request(line: tuple[str, str], target: str, lines: list[str], body: bytes) -> bytes:
    method, version = line
    head = f"{method} {target} HTTP/{version}\r\n" + "\r\n".join(lines)
    return head.encode("latin-1") + b"\r\n\r\n" + body


class Answers(NamedTuple):
    """What came back, without what differs each time, and whether the connection is open yet."""

    text: bytes
    is_open: bool


class Client:
    """A connection that is made anew where it ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def exchange(self, pieces: list[bytes], mark: str, *, awaiting: bool) -> Answers:
        """Send pieces and what is answered with the mark; read until that comes, or nothing more.

        What has bytes behind it that are no part of it, both leave to aiohttp: so they follow once
        there is an answer, or none comes.
        """
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
        connection = self._socket
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(SILENT_SECONDS)
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            if awaiting:
                answer = _beginning(connection)
            connection.sendall(f"GET {MARKED.format(mark)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            while mark.encode() not in answer:
                got = connection.recv(1 << 20)
                if not got:
                    self.close()
                    return Answers(_VARYING.sub(b"-", answer), is_open=False)
                answer += got
        except TimeoutError:
            pass
        except OSError:
            self.close()
            return Answers(_VARYING.sub(b"-", answer), is_open=False)
        return Answers(_VARYING.sub(b"-", answer), is_open=True)

    def close(self) -> None:
        """End it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _beginning(connection: socket.socket) -> bytes:
    """Return the first bytes of an answer; nothing where there is none in time."""
    try:
        return connection.recv(1 << 20)
    except TimeoutError:
        return b""


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """The two ports of one gateway."""
    harness = GatewayHarness(tmp_path)
    for name in (NAME, "denied"):
        harness.create(name, "def handler(event, context):\n    return event\n")
    _make_sites(harness)
    denied = "arn:aws:lambda:us-east-1:000000000000:function:denied"
    denies = {
        "Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": denied,
        "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1"}},
    }  # fmt: skip
    policy = json.dumps({"Statement": denies})
    harness.client().put_resource_policy(ResourceArn=denied, Policy=policy)
    gateway = harness.gateway
    alone = harness.call(gateway._server.listen(gateway._clients.handle, "127.0.0.1", 0))
    yield harness.port, alone
    harness.close()


def _make_sites(harness: GatewayHarness) -> None:
    """Make two function URLs, one that streams, and two routes, one that wants a signature."""
    for name, mode in (("web", "BUFFERED"), ("stream", "RESPONSE_STREAM")):
        harness.create(name, WEB)
        harness.open_url(name, InvokeMode=mode, Cors=CORS)
    for path, auth in (("/hello", "none"), ("/keyed", "iam")):
        document = {"host": "web.example.com", "path": path, "function": "web"}
        spec = RouteSpec.model_validate(document | {"auth": {"type": auth}})
        metadata = ObjectMeta(name=path[1:], namespace="default")
        harness.call(harness.resources.create(Route(metadata=metadata, spec=spec)))
    with closing(Client(harness.port)) as client:
        until = time.monotonic() + 5
        asked = _request(("GET", "1.1"), "/hello", [SITE], b"")
        while b" 200 " not in client.exchange([asked], "rawPath", awaiting=True).text:
            assert time.monotonic() < until, "the route is served"


def test_both_servers_answer_the_same(
    ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What differs is asked again: what TCP cuts in two, or joins, is another one to aiohttp."""
    plain: list[bool] = []
    reply = ClientPipeline.reply

    def counting(self: ClientPipeline, request: PlainRequest) -> Awaitable[tuple[Reply, str]]:
        plain.append(request.head.is_invocation)
        return reply(self, request)

    monkeypatch.setattr(ClientPipeline, "reply", counting)
    requests = Requests()
    with closing(Client(ports[0])) as ours, closing(Client(ports[1])) as aiohttps:
        for number in range(REQUESTS):
            _compare(requests, f"mark-{number:06d}", (ours, aiohttps))
    sites = plain.count(False)
    assert min(sites, len(plain) - sites) > REQUESTS // 10, "enough were no business of aiohttp's"


def _compare(requests: Requests, mark: str, clients: tuple[Client, Client]) -> None:
    pieces, awaiting = requests.next()
    for attempt in reversed(range(ATTEMPTS)):
        ours, aiohttps = (client.exchange(pieces, mark, awaiting=awaiting) for client in clients)
        if mark.encode() not in ours.text or ours != aiohttps:
            for client in clients:  # the next request would be a part of this one
                client.close()
        if ours == aiohttps:
            return
        assert attempt, f"{pieces}\n{ours}\n{aiohttps}"
