"""Notices that the artifact store is another one than before: restarted, restored, lost.

What was read of the old one need not be in the new one. So who remembers something of it, or has
put something there, follows `replacements` and looks again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from pilotlight.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .interfaces import ArtifactStore

__all__ = ["LOOK_SECONDS", "replacements"]

LOOK_SECONDS = 5.0


async def replacements(artifacts: ArtifactStore) -> AsyncGenerator[None, None]:
    """Yield, for ever, whenever the store has become another one."""
    known: str | None = None
    while True:
        with suppress(UnavailableError):
            found = await artifacts.incarnation()
            if known not in {None, found}:
                yield
            known = found
        await asyncio.sleep(LOOK_SECONDS)
