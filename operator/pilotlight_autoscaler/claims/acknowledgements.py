"""Remembers which revision each connected gateway routes a function to.

`LastUpdateStatus: Successful` waits here: the operator's function service asks whether every
connected gateway knows the new revision. A gateway that is not connected does not count; it reads
all functions anew before it serves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.resources import Key

__all__ = ["Acknowledgements"]


class Acknowledgements:
    """What gateways said that they know."""

    def __init__(self) -> None:
        self._known: dict[str, dict[Key, str]] = {}
        self._changed = asyncio.Condition()

    @property
    def gateways(self) -> list[str]:
        """Name the gateways that are connected."""
        return list(self._known)

    def connect(self, gateway: str) -> None:
        """Count a gateway in from now on."""
        self._known.setdefault(gateway, {})

    async def disconnect(self, gateway: str) -> None:
        """Count a gateway out."""
        self._known.pop(gateway, None)
        await self._wake()

    def acknowledge(self, gateway: str, function: Key, revision: str) -> None:
        """Note what a gateway routes a function to."""
        if gateway in self._known:
            self._known[gateway][function] = revision
            self._waker = asyncio.ensure_future(self._wake())

    async def wait(self, function: Key, revision: str, *, seconds: float) -> bool:
        """Wait until all connected gateways route to a revision; False where time ran out."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._all_know(function, revision))
        except TimeoutError:
            return False
        return True

    def _all_know(self, function: Key, revision: str) -> bool:
        return all(known.get(function) == revision for known in self._known.values())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
