"""Makes the `Runtime` resources that the chart's values name.

Helm cannot: in the release that installs the CRD, a resource of its kind is not known yet. What an
administrator adds under other names stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import AlreadyExistsError, ConflictError
from pilotlight.resources import ObjectMeta, Runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.cache import Cache
    from pilotlight.resources import RuntimeSpec

__all__ = ["RuntimeService"]

log = structlog.get_logger()


class RuntimeService:
    """Makes runtimes what they should be."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def ensure(self, wanted: Mapping[str, RuntimeSpec]) -> None:
        """Create or change every wanted runtime; raises UnavailableError."""
        for name, spec in wanted.items():
            try:
                await self._ensure(Runtime(metadata=ObjectMeta(name=name), spec=spec))
            except (AlreadyExistsError, ConflictError):
                log.info("runtime written by another", runtime=name)

    async def _ensure(self, wanted: Runtime) -> None:
        stored = await self._cache.find(Runtime, wanted.key)
        if stored is None:
            await self._cache.resources.create(wanted)
        elif stored.spec != wanted.spec:
            changed = stored.model_copy(update={"spec": wanted.spec})
            await self._cache.resources.replace(changed)
