"""Deletes lines that are older than their group wants, an hour late at most.

Every gateway does it; what another one has deleted is gone.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.storage import LogStore

    from .groups import LogGroups

__all__ = ["Retention"]

LOOK_SECONDS = 3600.0
_DAY = 86_400

log = structlog.get_logger()


class Retention:
    """What keeps groups to their days."""

    def __init__(
        self, groups: LogGroups, logs: LogStore, clock: Callable[[], float] = time.time
    ) -> None:
        self._groups, self._logs, self._clock = groups, logs, clock

    async def run(self) -> None:
        """Look now and then, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except PilotlightError as error:
                log.warning("old log lines not deleted", error=str(error))

    async def look(self) -> None:
        """Delete what is too old; raises UnavailableError."""
        for group in self._groups.with_retention():
            days = group.spec.retention_in_days or 0
            for function in group.functions:
                await self._logs.delete(*function.key, until=self._clock() - days * _DAY)
