"""What a change of a function means here: its old revision is given up, its new one acknowledged.

The operator counts an update as successful once all gateways route to it (`acknowledge`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from pilotlight.errors import PilotlightError
from pilotlight.publishing import version_revision
from pilotlight.resources import FunctionVersion

from .catalogue import revision_key

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.claims import Claims
    from pilotlight.resources import Function

    from .catalogue import Catalogue
    from .dispatch.dispatcher import Dispatcher

__all__ = ["Rollout"]


class Rollout:
    """Follows functions and versions for as long as the gateway lives."""

    def __init__(
        self, cache: Cache, catalogue: Catalogue, dispatcher: Dispatcher, claims: Claims
    ) -> None:
        self._dispatcher = dispatcher
        self._claims = claims
        self._acknowledging: set[asyncio.Task[None]] = set()
        catalogue.on_change(self._function_changed)
        cache.on_change(FunctionVersion, self._version_changed)

    def _function_changed(self, before: Function | None, after: Function | None) -> None:
        old = revision_key(before) if before else None
        new = revision_key(after) if after else None
        if old is not None and old != new:
            self._dispatcher.retire(old)
        if after is not None and new is not None:
            task = asyncio.create_task(self._acknowledge(after, new.revision))
            self._acknowledging.add(task)
            task.add_done_callback(self._acknowledging.discard)

    def _version_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        if before is not None and after is None:
            self._dispatcher.retire(version_revision(before))

    async def _acknowledge(self, function: Function, revision: str) -> None:
        with contextlib.suppress(PilotlightError):  # told again when the connection is back
            await self._claims.acknowledge(function.key, revision)
