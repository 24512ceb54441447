"""Group commit: while one commit is on the disk, writes gather, and the next commit takes them all.

A commit costs a wait for the disk however much is in it, so many writers share one. Each learns its
own outcome, and none before the commit has returned.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["LARGEST_GROUP", "GroupCommit"]

W = TypeVar("W")
R = TypeVar("R")

LARGEST_GROUP = 512
"""Writes in one commit: enough to share the wait, few enough to keep it short."""


class GroupCommit(Generic[W, R]):
    """Hands writes, in groups, to `commit`, which gives each write's outcome in the same order.

    An outcome that is an exception is raised to its writer alone; what `commit` raises, to all.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[W]], Awaitable[Sequence[R | Exception]]],
        *,
        largest: int = LARGEST_GROUP,
    ) -> None:
        self._commit = commit
        self._largest = largest
        self._waiting: list[tuple[W, asyncio.Future[R]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def write(self, write: W) -> R:
        """Commit a write with whatever else waits; a writer that is cancelled stops nothing."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, future))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        return await future

    async def close(self) -> None:
        """Wait until everything that was written is committed."""
        if self._committing is not None:
            await self._committing

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                group = self._waiting[: self._largest]
                del self._waiting[: self._largest]
                await self._commit_group(group)
        finally:
            self._committing = None

    async def _commit_group(self, group: list[tuple[W, asyncio.Future[R]]]) -> None:
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self._commit([write for write, _ in group])
        except Exception as error:  # noqa: BLE001  every writer raises it
            outcomes = [error] * len(group)
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
