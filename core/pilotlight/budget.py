"""A budget of bytes that many share: whoever needs more than is left waits for a turn.

`bodies` takes from one what clients send, `invocation.dispatch.answer_buffer` from another what
clients have not read yet. Turns go by arrival, so that a large one is not starved by small ones.
Where one of the many could hold everything for long, each takes from a share (`ByteBudget.share`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import WeakValueDictionary

__all__ = ["ByteBudget", "ByteShare"]

LARGEST_SHARE = 4
"""One may have at most the total divided by this, if nothing else is said."""


class ByteBudget:
    """So many bytes, lent and given back."""

    def __init__(self, total: int) -> None:
        self.left = total
        self._total = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._shares: WeakValueDictionary[str, ByteShare] = WeakValueDictionary()

    @property
    def used(self) -> float:
        """How much of it is lent, from 0 to 1."""
        return 1 - self.left / self._total

    async def take(self, size: int) -> int:
        """Borrow bytes, all at most; waits while too few are left.

        Returns how many `give` must bring back.
        """
        size = min(size, self._total)
        if not self._waiting and size <= self.left:
            self.left -= size
            return size
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._admit()  # those behind it may fit
            else:  # its turn came at that very moment
                self.give(size)
            raise
        return size

    def give(self, size: int) -> None:
        """Bring bytes back."""
        self.left += size
        self._admit()

    def share(self, owner: str, part: int = LARGEST_SHARE) -> ByteShare:
        """Return the share of an owner, the same while anybody has it: one `part`th at most."""
        found = self._shares.get(owner)
        if found is None:
            found = self._shares[owner] = ByteShare(self, self._total // part)
        return found

    def _admit(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.cancelled():
                if size > self.left:
                    return
                self.left -= size
                turn.set_result(None)
            self._waiting.popleft()


class ByteShare:
    """What one of many may have of a budget: who has all of it waits, and nobody else does."""

    def __init__(self, whole: ByteBudget, most: int) -> None:
        self._whole = whole
        self._own = ByteBudget(most)

    async def take(self, size: int) -> int:
        """Borrow bytes, as of a budget."""
        size = await self._own.take(size)
        try:
            return await self._whole.take(size)
        except asyncio.CancelledError:
            self._own.give(size)
            raise

    def give(self, size: int) -> None:
        """Bring bytes back."""
        self._own.give(size)
        self._whole.give(size)
