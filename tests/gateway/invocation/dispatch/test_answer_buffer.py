"""A large answer: its environment waits for no client, and what waits is bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight.budget import ByteBudget
from pilotlight.errors import ConnectionLostError
from pilotlight_gateway.invocation.dispatch.answer_buffer import AnswerBuffer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Source:
    """An answer of two pieces, the second of which comes when it is told to."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.goes_on = asyncio.Event()
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._breaks = breaks

    def buffer(self, budget: ByteBudget) -> AnswerBuffer:
        return AnswerBuffer(self._pieces(), 4, budget, self.ended.set_result)

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"ab"
        await self.goes_on.wait()
        if self._breaks:
            raise ConnectionLostError("gone")
        yield b"cd"


async def test_the_environment_is_free_before_anybody_reads() -> None:
    """As soon as the answer is whole here; the room is taken until it is closed."""
    budget, source = ByteBudget(10), Source()
    buffer = source.buffer(budget)
    source.goes_on.set()
    assert await source.ended
    assert budget.left == 6
    assert [piece async for piece in buffer] == [b"ab", b"cd"]
    assert budget.left == 6
    buffer.close()
    buffer.close()
    assert budget.left == 10


async def test_pieces_are_handed_on_as_they_come() -> None:
    source = Source()
    pieces = aiter(source.buffer(ByteBudget(10)))
    assert await anext(pieces) == b"ab"
    assert not source.ended.done()
    source.goes_on.set()
    assert await anext(pieces) == b"cd"


async def test_what_has_no_room_is_read_once_others_have_gone() -> None:
    budget, first, second = ByteBudget(4), Source(), Source()
    occupying = first.buffer(budget)
    first.goes_on.set()
    second.goes_on.set()
    await first.ended
    waiting = second.buffer(budget)
    await asyncio.sleep(0)
    assert not second.ended.done()
    occupying.close()
    assert [piece async for piece in waiting] == [b"ab", b"cd"]


@pytest.mark.parametrize("full", [False, True])
async def test_a_client_that_leaves_frees_the_environment_at_once(full: bool) -> None:  # noqa: FBT001  a table's column
    """In the middle of its answer, and while that waits for room; nothing stays lent."""
    budget, source = ByteBudget(4), Source()
    occupied = await budget.take(4) if full else 0
    buffer = source.buffer(budget)
    await asyncio.sleep(0)
    buffer.close()
    assert not await source.ended
    budget.give(occupied)
    assert budget.left == 4


async def test_an_answer_that_breaks_off_is_not_taken_for_whole() -> None:
    source = Source(breaks=True)
    buffer = source.buffer(ByteBudget(10))
    source.goes_on.set()
    with pytest.raises(ConnectionLostError):
        _ = [piece async for piece in buffer]
    assert not await source.ended
