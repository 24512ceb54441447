"""Deadlines and framing of the public port, met with raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight_gateway import bodies, connections, guarded_connection
from pilotlight_local.subprocesses import SubprocessCompute
from tests.gateway.events.conftest import until

if TYPE_CHECKING:
    from pilotlight.compute import Pod, PodRequest
    from tests.support.gateway import GatewayHarness

HOSTILE = [
    (
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
    b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"y" * 30_000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 200 + b"\r\n",
]


@pytest.mark.parametrize("request_bytes", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_framing_is_refused_and_closed(
    platform: GatewayHarness, request_bytes: bytes
) -> None:
    """In the gateway's words, and never as a library or a page."""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        client.sendall(request_bytes)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:200]
    assert b"Server: Pilotlight" in head
    assert json.loads(body)["message"]


@pytest.mark.parametrize("sent", [b"", b"GET /-/live HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_does_not_come_is_given_up(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        client.sendall(sent)
        assert client.recv(1000) == b""


def test_nothing_begins_for_a_caller_that_has_gone(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that waits for an environment leaves with its client."""
    platform.create("patient", "def handler(event, context):\n    return 1\n")
    made = threading.Event()
    start = SubprocessCompute.start

    async def late(self: SubprocessCompute, request: PodRequest, **choices: Any) -> Pod:
        await asyncio.to_thread(made.wait, 20)
        return await start(self, request, **choices)

    def waiting() -> int:
        queues = platform.gateway._rollout._dispatcher.queues
        return sum(queue.waiting for key, queue in queues.items() if key.function == "patient")

    monkeypatch.setattr(SubprocessCompute, "start", late)
    try:
        with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
            client.sendall(
                b"POST /2015-03-31/functions/patient/invocations HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 2\r\n\r\n{}"
            )
            until(lambda: waiting() == 1)
        until(lambda: waiting() == 0)
    finally:
        made.set()


def test_a_second_head_that_does_not_come_is_given_up(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first was answered, and where its beginning came while that was."""
    platform.create("answers-late", "import time\ndef handler(e, c):\n    time.sleep(0.5)\n")
    assert platform.post("/2015-03-31/functions/answers-late/invocations", b"{}")[0] == 200
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    whole = (
        b"POST /2015-03-31/functions/answers-late/invocations HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    for meanwhile in (False, True):
        with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
            client.sendall(whole)
            client.settimeout(0.2 if meanwhile else 10)
            with suppress(TimeoutError):  # long enough for the function to be running
                assert client.recv(65536).startswith(b"HTTP/1.1 200")
            client.sendall(whole[:20])
            client.settimeout(10)
            rest = b"".join(iter(lambda: client.recv(65536), b""))
            assert rest.startswith(b"HTTP/1.1 200") is meanwhile


@pytest.mark.parametrize(
    "whole",
    [
        b"GET /-/live HTTP/1.1\r\nHost: x\r\n\r\n",
        (
            b"POST /2015-03-31/functions/none/invocations HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 2\r\n\r\n{}"
        ),
    ],
)
def test_a_head_that_began_with_the_request_before_is_given_up(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch, whole: bytes
) -> None:
    """And a connection without one stays for the next request, however late."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    for more in (whole[:20], b""):
        with socket.create_connection(("127.0.0.1", platform.port), timeout=1) as client:
            client.sendall(whole + more)
            _answer(client)
            if more:
                assert client.recv(65536) == b""
            else:
                with pytest.raises(TimeoutError):
                    client.recv(65536)
                client.sendall(whole)
                _answer(client)


def _answer(client: socket.socket) -> None:
    """Read one answer whole."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    assert answer.read()


def test_a_body_that_does_not_come_is_given_up(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PIECE_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        client.sendall(
            b"POST /2015-03-31/functions/x/invocations HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 10\r\n\r\n{"
        )
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"RequestTimeoutException" in answer


def test_a_body_that_is_cut_off_runs_nothing(platform: GatewayHarness) -> None:
    platform.create("cut", "def handler(e, c):\n    print('ran')\n")
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        client.sendall(
            b"POST /2015-03-31/functions/cut/invocations HTTP/1.1\r\nHost: x\r\n"
            b'Content-Length: 100\r\n\r\n{"half": '
        )
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass
    held = platform.capacity.leases_of("local")
    assert not any(lease.revision.function == "cut" for lease in held)


def test_two_requests_on_one_connection(platform: GatewayHarness) -> None:
    request = b"GET /-/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        for _ in range(2):
            client.sendall(request)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_an_upgrade_is_answered_without_one(platform: GatewayHarness) -> None:
    """With its body, however late; then the connection ends, as nothing behind it would be read."""
    head = (
        b"POST /-/apply HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        client.sendall(head)
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"  # the head has been read
        client.sendall(b"{}")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"kind: nothing came" in answer


def test_an_absolute_target_must_name_the_host(platform: GatewayHarness) -> None:
    request = b"GET http://elsewhere/-/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        client.sendall(request)
        assert client.recv(65536).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 70000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3938700\r\n"],
)
def test_a_large_body_of_a_refused_request_is_not_read(
    platform: GatewayHarness, monkeypatch: pytest.MonkeyPatch, framing: bytes
) -> None:
    """Who sends it finds the answer, and spends nobody's time but its own."""
    monkeypatch.setattr(guarded_connection, "LINGER_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\n" + framing)
        sent = 0
        with suppress(BrokenPipeError):  # our end came first: no reset
            while sent < 60_000_000:
                client.sendall(b"x" * 1_000_000)
                sent += 1_000_000
        assert sent < 20_000_000, "what sockets hold, and no more"
        assert client.recv(65536).startswith(b"HTTP/1.1 4")
