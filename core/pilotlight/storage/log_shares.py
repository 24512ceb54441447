"""Who gives way where a log is full: those who have most of it, and they are told.

Both log stores ask here, so that a chatty function pushes out its own lines alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["LINE_BYTES", "dropped", "fair_share"]

LINE_BYTES = 128
"""What a line takes beside its text, about."""


def fair_share(sizes: Collection[int], total: int) -> int:
    """Return what each may have at most, so that all fit into a total and small ones are whole."""
    left = total
    for number, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - number)
        if size > share:
            return share
        left -= size
    return total


def dropped(lines: int, size: int) -> str:
    """Word what a function's log says of lines that had to make room."""
    return f"PILOTLIGHT {lines} older lines of {size} bytes were dropped: the log is full"
