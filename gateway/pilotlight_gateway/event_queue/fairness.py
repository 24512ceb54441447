"""Who may lease how much: functions take turns, so that a long backlog delays nobody else.

Pure, and shared by all queues, which only say which functions have something due.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .interface import FunctionKey

__all__ = ["Turns"]


class Turns:
    """Remembers whose turn it was last."""

    def __init__(self) -> None:
        self._last: FunctionKey | None = None

    def shares(
        self,
        functions: Sequence[FunctionKey],
        limit: int,
        room: Callable[[FunctionKey], int],
    ) -> dict[FunctionKey, int]:
        """Say how many events each of these functions may get now, at most `limit` in all.

        `functions` are those with something due, in order; `room` says how many more of one are
        wanted at all.
        """
        begin = bisect_right(functions, self._last) if self._last else 0
        in_turn = ((one, room(one)) for one in (*functions[begin:], *functions[:begin]))
        wanting = dict(islice(((one, free) for one, free in in_turn if free > 0), limit))
        if not wanting:
            return {}
        self._last = next(reversed(wanting))
        share = limit // len(wanting)
        return {function: min(share, free) for function, free in wanting.items()}
