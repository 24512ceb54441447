"""How much memory an environment uses, and the limit that the agent holds it to.

The container's own limit would kill the agent along with the function, so the agent looks every
50 ms while something runs. The sum of resident sizes is cheap but counts shared pages twice, so
processes above their limit are measured once more, properly, before they are killed. An environment
that has a process for each call has one limit for them all.
"""

import asyncio
from collections.abc import Callable

from . import tree
from .timer import Timer

_TICK_SECONDS = 0.05
_MEASURED_SECONDS = 0.02
"""For how long what one process of several has measured is good for the others."""
_PROPER_SECONDS = 0.5
"""For how long a proper measure is good, unless they grow by what it had left."""
_KILOBYTES_PER_MEGABYTE = 1_024


class MemoryLimit:
    """What the watched processes may use together, in MB."""

    def __init__(self, megabytes: int) -> None:
        self.kilobytes = megabytes * _KILOBYTES_PER_MEGABYTE
        self.watches: list[MemoryWatch] = []
        self._loop = asyncio.get_running_loop()
        self._resident = 0
        self._measured = 0.0
        self._enough = 0
        """Resident kilobytes that are within the limit, properly counted."""
        self._proven = 0.0

    def add(self, watch: "MemoryWatch") -> None:
        """Count a process."""
        self.watches.append(watch)

    def remove(self, watch: "MemoryWatch") -> None:
        """Count a process no more."""
        if watch in self.watches:
            self.watches.remove(watch)

    @property
    def peak(self) -> int:
        """The most kilobytes that all may have used at once."""
        return sum(watch.peak for watch in self.watches)

    def look(self) -> None:
        """Measure all, and tell all of them if they use more than they may."""
        now = self._loop.time()
        if now - self._measured < _MEASURED_SECONDS:
            return
        self._measured = now
        self._resident = sum(watch.measure() for watch in self.watches)
        if self._resident > self.kilobytes and self._is_exceeded(now):
            for watch in tuple(self.watches):
                watch.on_exceeded()

    def _is_exceeded(self, now: float) -> bool:
        """Count shared pages in parts; slower, so not more often than there is a reason."""
        if self._resident <= self._enough and now - self._proven < _PROPER_SECONDS:
            return False
        pids = [pid for watch in self.watches for pid in watch.family()]
        if len(pids) == 1:
            return True
        used = sum(map(tree.proportional_kilobytes, pids))
        self._enough, self._proven = self._resident + self.kilobytes - used, now
        return used > self.kilobytes


class MemoryWatch:
    """Measures the process tree of `pid`; calls `on_excess` once `limit` is exceeded."""

    def __init__(self, pid: int, limit: MemoryLimit, on_excess: Callable[[], None]) -> None:
        self.pid = pid
        self.peak = 0
        """The most kilobytes that were seen."""
        self._limit = limit
        self._on_excess = on_excess
        self._timer = Timer(self._tick)
        self._loop = asyncio.get_running_loop()
        self._reported = 0
        limit.add(self)

    @property
    def peak_megabytes(self) -> int:
        """The most of all that share the limit, in MB rounded up, never above it."""
        return -(-min(self._limit.peak, self._limit.kilobytes) // _KILOBYTES_PER_MEGABYTE)

    def start(self, now: float | None = None) -> None:
        """Look from `now` on, which is the loop's time, until `stop`, if it does not already."""
        if not self._timer.is_set:
            self._timer.set((self._loop.time() if now is None else now) + _TICK_SECONDS)

    def stop(self) -> None:
        """Look no more."""
        self._timer.clear()

    def close(self) -> None:
        """Count no more: the process is gone."""
        self.stop()
        self._limit.remove(self)

    def settle(self, reported: int | None = None) -> None:
        """Measure at the end of an invocation.

        `reported` is the process's own account of its peak in kilobytes: while it stays the same,
        reading /proc can be spared.
        """
        if reported is None or reported != self._reported:
            self._reported = reported or 0
            self.peak = max(self.peak, tree.peak_kilobytes(self.pid))

    def exceed(self) -> None:
        """Set the peak to the limit: the process died of it."""
        self.peak = self._limit.kilobytes

    def family(self) -> list[int]:
        """Return the ids of the process and of all below it."""
        return [self.pid, *tree.descendants(self.pid)]

    def measure(self) -> int:
        """Return the kilobytes in RAM of the process and all below it."""
        family = self.family()
        used = sum(map(tree.resident_kilobytes, family))
        own = tree.peak_kilobytes(self.pid) if len(family) == 1 else 0
        self.peak = max(self.peak, min(used, self._limit.kilobytes), own)
        return used

    def on_exceeded(self) -> None:
        """End it, with all that share the limit."""
        self.exceed()
        self.stop()
        self._on_excess()

    def _tick(self) -> None:
        self.start()
        if not tree.is_crowded():  # else the container's own limit has to do
            self._limit.look()
