"""An answer that its function still writes, at the pace at which the client reads.

The environment is busy until the end. A client that goes away ends nothing: what remains is read
and dropped, so that the function finishes as it would have.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pilotlight.errors import ConnectionLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["AnswerStream"]


class AnswerStream:
    """The body of an answer; whoever has it closes it once its client has it, or has gone.

    `on_end` is called once nothing more comes from the environment, with whether it was whole.
    """

    def __init__(self, pieces: AsyncIterator[bytes], on_end: Callable[[bool], None]) -> None:
        self._pieces = pieces
        self._on_end = on_end
        self._listeners: list[Callable[[], None]] = []
        self._ended = False
        self._draining: asyncio.Task[None] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece; raises ConnectionLostError in the answer's middle."""
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            self._end(whole=True)
            raise
        except (ConnectionLostError, LookupError, ValueError) as error:
            self._end(whole=False)
            raise ConnectionLostError("the answer broke off") from error

    def when_ended(self, tell: Callable[[], None]) -> None:
        """Have somebody told of the end."""
        self._listeners.append(tell)

    def close(self) -> None:
        """Let go of it; what remains is read away. A second time changes nothing."""
        if not self._ended and self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            async for _ in self:
                pass
        except ConnectionLostError:
            return  # whoever is told of the end has heard

    def _end(self, *, whole: bool) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(whole)
            for tell in self._listeners:
                tell()
