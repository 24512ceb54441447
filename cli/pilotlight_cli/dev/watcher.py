"""Tells which files changed, soon after a save."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import watchfiles

from pilotlight_cli.files import SKIPPED_FOLDERS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

__all__ = ["saved_files"]

DEBOUNCE_MILLISECONDS = 100
"""The longest that a burst of changes is collected; every next change may extend to it."""
QUIET_MILLISECONDS = 15
"""Without a further change for that long, a burst is over."""


async def saved_files(roots: Iterable[Path], *, without: Path) -> AsyncGenerator[set[Path]]:
    """Return the files that changed below some folders or are some files, for ever.

    `roots` and `without` have no links; the latter is the state folder, in which the platform
    itself writes.
    """
    named = set(roots)
    keep = watchfiles.DefaultFilter(ignore_dirs=sorted(SKIPPED_FOLDERS))

    def wanted(change: watchfiles.Change, path: str) -> bool:
        changed = Path(path)
        return (
            keep(change, path)
            and not changed.is_relative_to(without)
            and any(changed.is_relative_to(root) for root in named)
        )

    folders = {root for root in named if root.is_dir()}
    # A file that an editor replaces is another file: its folder is what can be watched.
    beside = {root.parent for root in named - folders}
    saved: asyncio.Queue[set[Path]] = asyncio.Queue()
    watches = [
        asyncio.create_task(_watch(places, wanted, saved, recursive=recursive))
        for places, recursive in ((folders, True), (beside, False))
        if places
    ]
    try:
        while True:
            getting = asyncio.create_task(saved.get())
            done, _ = await asyncio.wait({getting, *watches}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done - {getting}:
                ended.result()  # raises what ended a watch
            yield getting.result()
    finally:
        for task in (getting, *watches):
            task.cancel()


async def _watch(
    places: Iterable[Path],
    wanted: Callable[[watchfiles.Change, str], bool],
    saved: asyncio.Queue[set[Path]],
    *,
    recursive: bool,
) -> None:
    async for changes in watchfiles.awatch(
        *places,
        watch_filter=wanted,
        recursive=recursive,
        debounce=DEBOUNCE_MILLISECONDS,
        step=QUIET_MILLISECONDS,
    ):
        saved.put_nowait({Path(path) for _, path in changes})
