"""An agent that answers one thing to whoever asks: bytes, as an agent's server would write them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Asked:
    """Where it listens, and what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[Asked]:
    """Answer a request each, on any connection; after the last and an empty one, close it."""
    asked, left = Asked(), list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while left:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                asked.requests.append(head + await reader.readexactly(int(length)))
                given = left.pop(0)
                writer.write(given)
                if not given:
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asked.port = server.sockets[0].getsockname()[1]
    try:
        yield asked
    finally:
        server.close()


def answer(status: int, body: bytes, headers: bytes = b"") -> bytes:
    """Word an answer of known length; `headers` are whole lines."""
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, len(body), body)
