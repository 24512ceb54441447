"""Who may lease how much: functions take turns, so that a long backlog delays nobody else.

Pure, and shared by all queues, which only say which functions have something due.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        *,
        most: int,
        holding: Mapping[FunctionKey, int],
    ) -> dict[FunctionKey, int]:
        """Say how many events each of these functions may get now, at most `limit` in all.

        `functions` are those with something due, in order.
        """
        begin = bisect_right(functions, self._last) if self._last else 0
        wanting = [
            function
            for function in (*functions[begin:], *functions[:begin])
            if holding.get(function, 0) < most
        ][:limit]
        if not wanting:
            return {}
        self._last = wanting[-1]
        share = limit // len(wanting)
        return {function: min(share, most - holding.get(function, 0)) for function in wanting}
