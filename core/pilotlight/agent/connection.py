"""One connection to an agent, hand-written: aiohttp's client doubles the cost of an invocation.

An environment serves one invocation at a time, so it needs one connection, kept alive, and no pool.
Only what our own agent answers is understood: HTTP/1.1 with a Content-Length, or chunks that last
as long as the connection. Bodies are handed on as they come; reading pauses while more than a
window of them waits.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from pilotlight.errors import ConnectionLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["AgentAnswer", "AgentConnection", "Request", "ask", "connect"]

CONNECT_SECONDS = 5.0
WINDOW = 1 << 17
"""Bytes of an answer that may wait here for whoever reads it."""
ENDLESS = sys.maxsize
_LENGTH = b"\r\nContent-Length: "
_GONE = "the agent closed the connection"


class Request(NamedTuple):
    """What is asked of an agent."""

    method: str
    path: str
    token: str = ""
    body: bytes = b""
    fields: str = ""
    """Whole header lines."""

    def head(self, host: str) -> bytes:
        """Word the head."""
        token = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        return (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: {host}\r\n{token}{self.fields}"
            f"Content-Length: {len(self.body)}\r\n\r\n"
        ).encode("latin-1")


@dataclass(slots=True)
class AgentAnswer:
    """An answer's head; its body comes through the connection that gave it."""

    status: int
    length: int
    """Bytes of the body; `ENDLESS` for chunks, which are left to the reader to take apart."""
    head: bytes
    """All its lines, without the end of the last."""

    @property
    def headers(self) -> dict[str, str]:
        """Read its fields, by names in lower case."""
        return _parse_fields(self.head)


class AgentConnection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self, host: str) -> None:
        """Speak with `host`, HOST:PORT."""
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._missing = 0
        self._paused = False
        self._answer: asyncio.Future[AgentAnswer] | None = None
        self._wakener: asyncio.Future[None] | None = None
        self._arrivals = select.poll()

    @property
    def open(self) -> bool:
        """Whether the agent is still there; meant for a connection that idles.

        An agent says nothing unasked, so that what has arrived is its end. The kernel knows of it
        before the loop has looked, and a call that is sent then would look as if it had run.
        """
        return self._transport is not None and not self._arrivals.poll(0)

    async def exchange(self, request: Request) -> AgentAnswer:
        """Send a request and wait for the head of its answer; raises ConnectionLostError."""
        if self._transport is None:
            raise ConnectionLostError(_GONE)
        self._answer = self._loop.create_future()
        head = request.head(self._host)
        # An empty piece stays in the buffer of Python 3.12 and later, whose loop then never rests.
        self._transport.writelines((head, request.body) if request.body else (head,))
        return await self._answer

    async def read(self) -> bytes:
        """Return the last answer's whole body."""
        if not self._missing:
            body = b"".join(self._chunks)
            self._chunks.clear()
            self._waiting_bytes = 0
            return body
        return b"".join([chunk async for chunk in self.stream()])

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the last answer's body in pieces; raises ConnectionLostError in its middle."""
        while self._chunks or self._missing:
            yield await self.receive()

    async def receive(self) -> bytes:
        """Return the next piece of a body that is not whole; raises ConnectionLostError.

        Whoever is cancelled here misses nothing.
        """
        while not self._chunks:
            if self._transport is None:
                raise ConnectionLostError(_GONE)
            self._wakener = self._loop.create_future()
            await self._wakener
        chunk = self._chunks.popleft()
        self._waiting_bytes -= len(chunk)
        self._resume()
        return chunk

    def end_chunks(self) -> None:
        """Learn from who takes chunks apart that they have ended."""
        self._missing = 0

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio.Protocol)."""
        self._transport = cast("asyncio.Transport", transport)
        self._arrivals.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a head or a body (asyncio.Protocol)."""
        if self._missing:
            self._feed(data)
            return
        if self._head:
            data = self._head + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._head = data
            return
        self._head = b""
        self._begin(_read_head(data[:end]), data[end + 4 :])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """Fail what is waiting (asyncio.Protocol)."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLostError(_GONE))
        self._wake()

    def _begin(self, answer: AgentAnswer, rest: bytes) -> None:
        self._missing = answer.length
        if rest:
            self._feed(rest)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _feed(self, data: bytes) -> None:
        self._missing -= len(data)
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > WINDOW and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def _resume(self) -> None:
        if self._paused and self._waiting_bytes < WINDOW // 2 and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._wakener is not None and not self._wakener.done():
            self._wakener.set_result(None)


def _read_head(head: bytes) -> AgentAnswer:
    _, last, digits = head.rpartition(_LENGTH)
    if last and digits.isdigit():  # as agents say it
        length = int(digits)
    else:
        fields = _parse_fields(head)
        chunked = "transfer-encoding" in fields
        length = ENDLESS if chunked else int(fields.get("content-length", "0"))
    return AgentAnswer(int(head[9:12]), length, head)


def _parse_fields(head: bytes) -> dict[str, str]:
    fields = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip(" ")
    return fields


async def connect(host: str, port: int) -> AgentConnection:
    """Open a connection, to a socket's path where `host` is one; raises OSError or TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_SECONDS):
        if host.startswith("/"):
            _, protocol = await loop.create_unix_connection(
                lambda: AgentConnection("localhost"), host
            )
        else:
            _, protocol = await loop.create_connection(
                lambda: AgentConnection(f"{host}:{port}"), host, port
            )
    return protocol


async def ask(host: str, port: int, request: Request) -> tuple[int, bytes]:
    """Ask once, on a connection of its own; returns status and body.

    Raises OSError and TimeoutError, and ConnectionLostError where the agent may have been told.
    """
    connection = await connect(host, port)
    try:
        answer = await connection.exchange(request)
        return answer.status, await connection.read()
    finally:
        connection.close()
