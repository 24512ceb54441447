"""A cache that follows its store for as long as a block lasts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.cache import Cache


@asynccontextmanager
async def following(cache: Cache) -> AsyncIterator[None]:
    """Run a cache during a block."""
    task = asyncio.create_task(cache.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
