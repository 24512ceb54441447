"""How much an environment keeps in /tmp, and the size that the agent holds it to.

Nothing in a pod without privileges can make a write fail for it, and Kubernetes ends the whole pod,
without a word to the function's caller, some seconds after its /tmp has grown too large. So the
agent looks while an invocation runs, at most once a second and never a twentieth of the time.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .timer import Timer

_FIRST_SECONDS = 0.25
_LEAST_REST = 1.0
_REST = 20
"""How many times as long as a look took it rests."""
_BLOCK = 512
_MEGABYTE = 1_048_576


class StorageWatch:
    """Measures `folder`; calls `on_excess` once it holds more than `limit` MB."""

    def __init__(self, folder: Path, limit: int, on_excess: Callable[[], None]) -> None:
        self._folder = folder
        self._limit = limit * _MEGABYTE
        self._on_excess = on_excess
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + _FIRST_SECONDS
        self._timer = Timer(self._look)
        self._looking: asyncio.Task[None] | None = None
        self._stopped = True

    def start(self, now: float) -> None:
        """Look when that is due again, until `stop`; `now` is the loop's time."""
        self._stopped = False
        if self._looking is None:
            self._timer.set(max(now, self._due))

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        self._timer.clear()

    def _look(self) -> None:
        self._looking = self._loop.create_task(self._measure())

    async def _measure(self) -> None:
        began = self._loop.time()
        # Files by the thousand take longer than anything else may wait here.
        is_full = await asyncio.to_thread(holds_more, self._folder, self._limit)
        self._looking = None
        now = self._loop.time()
        self._due = now + max(_LEAST_REST, _REST * (now - began))
        if self._stopped:
            return
        if is_full:
            self.stop()
            self._on_excess()
        else:
            self._timer.set(self._due)


def holds_more(folder: Path, limit: int) -> bool:
    """Say whether the files below a folder take more than so many bytes on disk."""
    taken = 0
    seen: set[tuple[int, int]] = set()
    for found in _files(str(folder)):
        if found.st_nlink > 1:
            identity = found.st_dev, found.st_ino
            if identity in seen:
                continue
            seen.add(identity)
        taken += found.st_blocks * _BLOCK
        if taken > limit:
            return True
    return False


def _files(folder: str) -> Iterator[os.stat_result]:
    """Tell everything below a folder; what goes meanwhile, or may not be read, is not told."""
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found = _stat(entry)
                    if found is not None:
                        yield found
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
        except OSError:
            continue


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None
