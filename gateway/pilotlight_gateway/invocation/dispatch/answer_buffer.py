"""A large answer between its environment and a client that may be slow.

It is read as fast as it comes, within one budget of bytes for all of them, so that an environment
waits for no client: `dispatcher` gives it back once the answer is whole. What does not fit waits in
its agent, and in its environment's stead, until clients have read others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from pilotlight.errors import ConnectionLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pilotlight.budget import ByteBudget

__all__ = ["MOST_BYTES", "AnswerBuffer"]

MOST_BYTES = 64 << 20
"""Of all large answers that clients have not read yet."""


class AnswerBuffer:
    """The body of an answer; whoever has it closes it once its client has it.

    `on_end` is called once, as soon as nothing more is read from the environment, with whether
    the answer was whole.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        length: int,
        budget: ByteBudget,
        on_end: Callable[[bool], None],
    ) -> None:
        self._budget = budget
        self._lent = 0
        self._pieces: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._whole = False
        self._on_end = on_end
        self._filling = asyncio.create_task(self._fill(pieces, length))
        self._filling.add_done_callback(self._filled)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece; raises ConnectionLostError in the answer's middle."""
        while not self._pieces:
            if self._whole:
                raise StopAsyncIteration
            if self._filling.done():
                raise ConnectionLostError("the answer broke off")
            self._arrived.clear()
            await self._arrived.wait()
        return self._pieces.popleft()

    def close(self) -> None:
        """Let go of the room, and of what was not read; a second time changes nothing."""
        self._filling.cancel()
        self._pieces.clear()
        lent, self._lent = self._lent, 0
        self._budget.give(lent)

    async def _fill(self, pieces: AsyncIterator[bytes], length: int) -> None:
        self._lent = await self._budget.take(length)
        async for piece in pieces:
            self._pieces.append(piece)
            self._arrived.set()
        self._whole = True
        self._arrived.set()

    def _filled(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # `_whole` says it all
        self._arrived.set()
        self._on_end(self._whole)
