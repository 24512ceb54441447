"""Tells which files changed, soon after a save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import watchfiles

from pilotlight_cli.files import SKIPPED_FOLDERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

__all__ = ["saved_files"]

DEBOUNCE_MILLISECONDS = 100
"""The longest that a burst of changes is collected; every next change may extend to it."""
QUIET_MILLISECONDS = 15
"""Without a further change for that long, a burst is over."""


async def saved_files(roots: Iterable[Path], *, without: Path) -> AsyncIterator[set[Path]]:
    """Return the files that changed below some folders or are some files, for ever.

    `without` is the state folder, in which the platform itself writes.
    """
    named = {root.resolve() for root in roots}
    # A file that an editor replaces is another file: its folder is what can be watched.
    folders = {root if root.is_dir() else root.parent for root in named}

    def wanted(_: watchfiles.Change, path: str) -> bool:
        changed = Path(path)
        return not changed.is_relative_to(without.resolve()) and any(
            changed.is_relative_to(root) for root in named
        )

    keep = watchfiles.DefaultFilter(ignore_dirs=sorted(SKIPPED_FOLDERS))
    async for changes in watchfiles.awatch(
        *folders,
        watch_filter=lambda change, path: keep(change, path) and wanted(change, path),
        debounce=DEBOUNCE_MILLISECONDS,
        step=QUIET_MILLISECONDS,
    ):
        yield {Path(path) for _, path in changes}
