"""Notices that the artifact store is another one than before: restarted, restored, lost.

What was read of the old one need not be in the new one. So who remembers something of it, or has
put something there, follows `replacements` and looks again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pilotlight.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .interfaces import ArtifactStore

__all__ = ["LOOK_SECONDS", "replacements"]

LOOK_SECONDS = 5.0


async def replacements(artifacts: ArtifactStore) -> AsyncGenerator[None, None]:
    """Yield, for ever, whenever the store has become another one.

    One that was away at the first look may have become another one before that.
    """
    known: str | None = None
    was_away = False
    while True:
        try:
            found = await artifacts.incarnation()
        except UnavailableError:
            was_away = True
        else:
            if known != found and (known is not None or was_away):
                yield
            known = found
        await asyncio.sleep(LOOK_SECONDS)
