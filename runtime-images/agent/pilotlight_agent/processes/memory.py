"""How much memory an environment uses, and the limit that the agent holds it to.

The container's own limit would kill the agent along with the function, so the agent looks every
50 ms while something runs. The sum of resident sizes is cheap but counts shared pages twice, so a
family of processes above its limit is measured once more, properly, before it is killed.
"""

import asyncio
from collections.abc import Callable

from . import tree
from .timer import Timer

_TICK_SECONDS = 0.05
_KILOBYTES_PER_MEGABYTE = 1_024


class MemoryWatch:
    """Measures the process tree of `pid`; calls `on_excess` once it uses more than `limit` MB."""

    def __init__(self, pid: int, limit: int, on_excess: Callable[[], None]) -> None:
        self._pid = pid
        self._limit = limit * _KILOBYTES_PER_MEGABYTE
        self._on_excess = on_excess
        self._peak = 0
        self._timer = Timer(self._tick)
        self._loop = asyncio.get_running_loop()
        self._reported = 0

    @property
    def peak_megabytes(self) -> int:
        """The most that was seen, in MB rounded up, never above the limit."""
        return -(-min(self._peak, self._limit) // _KILOBYTES_PER_MEGABYTE)

    def start(self, now: float | None = None) -> None:
        """Look from `now` on, which is the loop's time, until `stop`, if it does not already."""
        if self._timer.is_set:
            return
        self._timer.set((self._loop.time() if now is None else now) + _TICK_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        self._timer.clear()

    def settle(self, reported: int | None = None) -> None:
        """Measure at the end of an invocation.

        `reported` is the process's own account of its peak in kilobytes: while it stays the same,
        reading /proc can be spared.
        """
        if reported is None or reported != self._reported:
            self._reported = reported or 0
            self._peak = max(self._peak, tree.peak_kilobytes(self._pid))

    def exceed(self) -> None:
        """Set the peak to the limit: the process died of it."""
        self._peak = self._limit

    def _tick(self) -> None:
        self.start()
        if tree.is_crowded():  # the container's own limit has to do
            return
        family = tree.descendants(self._pid)
        used = tree.resident_kilobytes(self._pid) + sum(map(tree.resident_kilobytes, family))
        if used > self._limit and family:
            used = sum(map(tree.proportional_kilobytes, (self._pid, *family)))
        self._peak = max(self._peak, used, 0 if family else tree.peak_kilobytes(self._pid))
        if used > self._limit:
            self.exceed()
            self.stop()
            self._on_excess()
