"""Chunks are taken apart however the bytes are cut, and nothing is lost to whoever is cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.agent.chunks import MOST_BYTES, Chunks
from pilotlight.agent.connection import Request, connect

if TYPE_CHECKING:
    from pilotlight.agent.connection import AgentConnection

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Cut:
    """Bytes in pieces of a size, in the place of a connection."""

    def __init__(self, whole: bytes, size: int) -> None:
        self._pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        self.ended = False

    async def receive(self) -> bytes:
        """Return the next piece."""
        return self._pieces.pop(0)

    def end_chunks(self) -> None:
        """Note the end."""
        self.ended = True


def worded(chunks: list[bytes], trailers: bytes = b"") -> bytes:
    """Word chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks)
    return body + b"0\r\n" + trailers + b"\r\n"


@given(
    chunks=st.lists(st.binary(min_size=1), max_size=5),
    size=st.integers(1, 9),
    trailers=st.sampled_from([b"", b"A: 1\r\n", b"A: 1\r\nb-C:  x y\r\n"]),
)
async def test_they_are_found_wherever_the_bytes_are_cut(
    chunks: list[bytes], size: int, trailers: bytes
) -> None:
    connection = Cut(worded(chunks, trailers), size)
    told: list[dict[str, str]] = []
    pieces = Chunks(cast("AgentConnection", connection), told.append)
    assert b"".join([piece async for piece in pieces]) == b"".join(chunks)
    named = {b"": {}, b"A: 1\r\n": {"a": "1"}}.get(trailers, {"a": "1", "b-c": "x y"})
    assert (told, connection.ended) == ([named], True)


@pytest.mark.parametrize("bytes_", [b"zz\r\nab", b"f" * (MOST_BYTES + 2)])
async def test_what_is_no_chunk_is_refused(bytes_: bytes) -> None:
    """Also a line without an end, of which only so much is kept."""
    with pytest.raises(ValueError, match=r"invalid literal|without the end"):
        await anext(Chunks(cast("AgentConnection", Cut(bytes_, 50_000))))


async def test_whoever_is_cancelled_misses_nothing() -> None:
    """As a client that goes away while its function writes: the rest is read by another."""
    go_on = asyncio.Event()

    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"3\r\none\r\n3\r\nt")
        await go_on.wait()
        writer.write(b"wo\r\n0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(write, "127.0.0.1", 0) as server:
        connection = await connect("127.0.0.1", server.sockets[0].getsockname()[1])
        await connection.exchange(Request("GET", "/"))
        pieces = Chunks(connection)
        read = b""
        while read != b"onet":
            read += await anext(pieces)
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0)
        waiting.cancel()
        go_on.set()
        assert [piece async for piece in pieces] == [b"wo"]
        connection.close()
