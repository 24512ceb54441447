"""One connection, two servers behind it: who gets what, and what ends it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
import uvloop
from aiohttp import web

from pilotlight_gateway import connections, plain_connection
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.server import ACCEPTORS, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web_request import BaseRequest

    from pilotlight_gateway.plain_request import PlainRequest

INVOKE = (
    b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"


class Running:
    """A server whose answers say who gave them: `ours` or `aiohttp`."""

    def __init__(self) -> None:
        self.server = Server()
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.released = asyncio.Event()
        self.body: bytes | AsyncIterator[bytes] = b"ours"
        self.length: int | None = None
        self.port = 0

    def takes(self, request: PlainRequest) -> bool:
        """Take all but what is for another host."""
        return request.head.is_invocation and request.headers["Host"] == "x"

    async def reply(self, request: PlainRequest) -> tuple[Reply, str]:
        """Answer once it may end."""
        del request  # all get the same
        self.began.set()
        await self.may_end.wait()
        return Reply(body=self.body, length=self.length, release=self.released.set), "id"

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer what is aiohttp's."""
        await request.read()
        return web.Response(text="aiohttp")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A server that listens."""
    made = Running()
    made.port = await made.server.listen(made.handle, "127.0.0.1", 0, plain=made)
    yield made
    await made.server.close(drain_seconds=0.0)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


@pytest.mark.parametrize(
    ("sent", "who"),
    [
        ([INVOKE, GET, INVOKE, PUT, INVOKE, INVOKE], ["ours", "aiohttp"] * 2 + ["ours"] * 2),
        ([INVOKE, CHUNKED, INVOKE, INVOKE], ["ours", "aiohttp", "aiohttp", "ours"]),
        ([INVOKE.replace(b": x", b": y"), INVOKE], ["aiohttp", "ours"]),
        ([PUT[:20], PUT[20:], INVOKE], ["", "aiohttp", "ours"]),
        ([PUT[:-2], PUT[-2:], INVOKE], ["", "aiohttp", "ours"]),
    ],
)
async def test_requests_of_a_connection_go_to_who_understands_them(
    running: Running, sent: list[bytes], who: list[str]
) -> None:
    """And come back from aiohttp where it is known that all before has been answered."""
    reader, writer = await running.connect()
    for piece, name in zip(sent, who, strict=True):
        writer.write(piece)
        await writer.drain()
        if name:
            assert (await _answer(reader)).decode() == name
    writer.close()


async def test_what_is_pipelined_is_answered_in_its_order(running: Running) -> None:
    running.may_end.clear()
    reader, writer = await running.connect()
    writer.write(INVOKE)
    await running.began.wait()
    writer.write(GET + INVOKE + INVOKE + GET)
    running.may_end.set()
    answers = [(await _answer(reader)).decode() for _ in range(5)]
    assert answers[:2] == ["ours", "aiohttp"]
    assert answers[-1] == "aiohttp"
    writer.close()


@pytest.mark.parametrize("comes", [True, False])
async def test_a_small_body_may_follow_its_head(
    running: Running, monkeypatch: pytest.MonkeyPatch, *, comes: bool
) -> None:
    """As clients send it that write head and body by themselves; what comes late is aiohttp's."""
    monkeypatch.setattr(plain_connection, "BODY_SECONDS", 30.0 if comes else 0.0)
    reader, writer = await running.connect()
    handed_over = asyncio.Event()
    hand_over = plain_connection.PlainConnection._hand_over

    def noted(connection: plain_connection.PlainConnection, data: bytes) -> None:
        hand_over(connection, data)
        handed_over.set()

    monkeypatch.setattr(plain_connection.PlainConnection, "_hand_over", noted)
    writer.write(INVOKE[:-1])
    if not comes:
        await handed_over.wait()
    writer.write(INVOKE[-1:])
    assert (await _answer(reader)).decode() == ("ours" if comes else "aiohttp")
    writer.close()


@pytest.mark.parametrize("first", [b"", INVOKE, GET])
async def test_a_connection_that_idles_is_closed(
    running: Running, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    """Whoever answered last."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", 0.05)
    await running.server.close(drain_seconds=0.0)
    running.port = await running.server.listen(running.handle, "127.0.0.1", 0, plain=running)
    reader, writer = await running.connect()
    if first:
        writer.write(first)
        await _answer(reader)
    assert await reader.read() == b""
    writer.close()


async def test_a_running_invocation_keeps_its_connection(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: the clock is for who sends nothing."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.01)
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", 0.01)
    looks = asyncio.Semaphore(0)
    look = plain_connection.PlainConnection._look

    def noted(connection: plain_connection.PlainConnection) -> None:
        look(connection)
        looks.release()

    monkeypatch.setattr(plain_connection.PlainConnection, "_look", noted)
    running.may_end.clear()
    reader, writer = await running.connect()
    writer.write(INVOKE)
    for _ in range(3):
        await looks.acquire()
    running.may_end.set()
    assert await _answer(reader) == b"ours"
    writer.close()


async def test_a_stop_waits_for_what_runs_and_closes_what_idles(running: Running) -> None:
    idle, idle_writer = await running.connect()
    reader, writer = await running.connect()
    for one, other in ((idle, idle_writer), (reader, writer)):
        other.write(GET)  # aiohttp has these connections too
        await _answer(one)
        other.write(INVOKE)
        await _answer(one)
    running.began.clear()
    running.may_end.clear()
    writer.write(INVOKE)
    await running.began.wait()
    stopping = asyncio.create_task(running.server.close(drain_seconds=30.0))
    await asyncio.sleep(0)
    running.may_end.set()
    assert await _answer(reader) == b"ours"
    await stopping
    assert await reader.read() == b""
    assert await idle.read() == b""
    writer.close()
    idle_writer.close()


async def test_a_large_answer_ends_with_its_client(running: Running) -> None:
    """It holds memory for as long as it is written; a small one is with the kernel at once."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    running.body, running.length = endless(), 1 << 40
    reader, writer = await running.connect()
    writer.write(INVOKE)
    await reader.readexactly(1_000_000)
    assert not running.released.is_set()
    writer.transport.abort()
    async with asyncio.timeout(10):
        await running.released.wait()


async def test_an_answer_that_breaks_off_cuts_the_connection(running: Running) -> None:
    """So that nobody takes a part of it for all of it."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 10
        raise RuntimeError("broken")

    running.body, running.length = broken(), 100
    reader, writer = await running.connect()
    writer.write(INVOKE)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await _answer(reader)
    assert running.released.is_set()
    writer.close()


def test_who_connects_together_is_taken_together() -> None:
    """Uvloop takes one a turn of a listener, and under load a turn is long."""

    async def main() -> int:
        running = Running()
        port = await running.server.listen(running.handle, "127.0.0.1", 0, plain=running)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(ACCEPTORS)]
        for _ in range(4):
            await asyncio.sleep(0)
        taken = len(running.server._connections)
        await running.server.close(drain_seconds=0.0)
        for client in clients:
            client.close()
        return taken

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == ACCEPTORS
