"""The feed of an embedded store: the cache follows it, the reconciler follows the cache."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight_operator.reconciler import Reconciler

__all__ = ["feed"]


async def feed(cache: Cache, reconciler: Reconciler) -> None:
    """Keep the cache, and have everything reconciled once it knows all; for ever."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(cache.run())
        await cache.synced.wait()
        reconciler.start()
