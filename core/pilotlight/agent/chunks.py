"""A body in chunks, as an agent sends what it does not know the length of (RFC 9112, section 7.1).

`events` reads one that lasts as long as its agent, `invoke` the answers that functions write piece
by piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import AgentConnection

__all__ = ["Chunks"]

MOST_BYTES = 1 << 17
"""Of a line or all trailers; more than an agent sends."""
_END = b"\r\n"


def _nothing(_trailers: dict[str, str]) -> None:
    """Tell nobody."""


class Chunks:
    """The pieces of a body, as they come; they know nothing of where its writer cut it.

    `on_end` hears the trailers, by names in lower case.
    """

    def __init__(
        self, connection: AgentConnection, on_end: Callable[[dict[str, str]], None] = _nothing
    ) -> None:
        self._connection = connection
        self._on_end = on_end
        self._buffer = b""
        self._left = 0
        """Bytes of the chunk that are still to come, with its line end."""
        self._whole = False

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece; raises ConnectionLostError, ValueError for what is no chunk.

        Whoever is cancelled here misses nothing.
        """
        while not self._whole:
            if self._left:
                if piece := await self._piece():
                    return piece
            elif (line := await self._line()) != b"0":
                self._left = int(line, 16) + 2
            else:
                trailers = _read(await self._trailers())
                self._whole = True
                self._connection.end_chunks()
                self._on_end(trailers)
        raise StopAsyncIteration

    async def _piece(self) -> bytes:
        """Return what there is of the chunk's data; nothing where only its line end came."""
        if not self._buffer:
            self._buffer = await self._connection.receive()
        taken, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(taken)
        return taken[: len(taken) - max(0, 2 - self._left)]

    async def _trailers(self) -> bytes:
        while not self._buffer.startswith(_END) and _END + _END not in self._buffer:
            await self._more()
        return self._buffer

    async def _line(self) -> bytes:
        while _END not in self._buffer:
            await self._more()
        line, _, self._buffer = self._buffer.partition(_END)
        return line

    async def _more(self) -> None:
        if len(self._buffer) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes came without the end of a line")
        self._buffer += await self._connection.receive()


def _read(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.decode("latin-1").splitlines() if line)
    return {name.lower(): value.strip(" ") for name, _, value in pairs}
