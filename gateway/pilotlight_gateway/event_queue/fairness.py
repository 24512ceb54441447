"""Who may lease how much: functions take turns, so that a long backlog delays nobody else.

Pure, and shared by all queues, which only say which functions have something due.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .interface import Lane

__all__ = ["Turns"]


class Turns:
    """Remembers whose turn it was last."""

    def __init__(self) -> None:
        self._last: Lane | None = None

    def shares(
        self, lanes: Sequence[Lane], limit: int, *, most: int, holding: Mapping[Lane, int]
    ) -> dict[Lane, int]:
        """Say how many events each of these functions may get now, at most `limit` in all.

        `lanes` are those with something due, in order.
        """
        begin = bisect_right(lanes, self._last) if self._last else 0
        wanting = [
            lane for lane in (*lanes[begin:], *lanes[:begin]) if holding.get(lane, 0) < most
        ][:limit]
        if not wanting:
            return {}
        self._last = wanting[-1]
        share = limit // len(wanting)
        return {lane: min(share, most - holding.get(lane, 0)) for lane in wanting}
