"""What an agent tells between calls: lines go to the log store, what goes wrong to our own log."""

from __future__ import annotations

import asyncio
import json

from structlog.testing import capture_logs

from pilotlight.claims import Lease, RevisionKey
from pilotlight_gateway.invocation.dispatch.agent_events import EventReader, EventReaders
from pilotlight_gateway.invocation.dispatch.environment import Environment
from pilotlight_gateway.invocation.dispatch.log_sink import LogSink
from tests.support.gateway import MemoryLogs

EVENTS = (
    {"type": "zygote", "state": "failed", "reason": "descriptors [7] are open"},
    {"type": "state", "state": "idle"},
    {"type": "line", "time": "2026-11-21T00:00:00.500Z", "requestId": "r", "line": "hello"},
)


async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as an agent that has told all and ends."""
    await reader.readuntil(b"\r\n\r\n")
    body = b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    writer.close()


async def test_lines_are_stored_and_a_lost_zygote_is_told() -> None:
    server = await asyncio.start_server(tell, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    revision = RevisionKey("default", "f", "0" * 16)
    lease = Lease("l", revision, "e", "default/p", "127.0.0.1", port, 1)
    store = MemoryLogs()
    sink = LogSink(store)
    gone: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
    with capture_logs() as logs:
        EventReader.start(Environment.of(lease, b"key", "g"), sink, gone.set_result)
        await gone
    await sink.flush()
    server.close()
    assert [(line.function, line.request_id, line.message) for line in store.lines] == [
        ("f", "r", "hello")
    ]
    (told,) = (each for each in logs if each["log_level"] == "warning")
    assert (told["pod"], told["reason"]) == ("default/p", "descriptors [7] are open")


async def test_an_environment_that_comes_back_is_read_on_from_where_it_was() -> None:
    """By the same gateway, which may have given it back a moment ago; its lines are stored once."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        body = json.dumps({"seq": 7, **EVENTS[2]}).encode() + b"\n"
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sink = LogSink(MemoryLogs())
    readers = EventReaders(sink, lambda _: None)
    for number in range(2):
        revision = RevisionKey("default", "f", "0" * 16)
        lease = Lease(f"l{number}", revision, "e", "default/p", "127.0.0.1", port, 1)
        environment = Environment.of(lease, b"key", "g")
        readers.start(environment)
        await asyncio.wait_for(sink._filled.wait(), 5)
        await sink.flush()
        readers.finish(environment)
    server.close()
    assert asked == [b"/v1/events?after=0&environment=e", b"/v1/events?after=7&environment=e"]
    assert list(readers) == []
