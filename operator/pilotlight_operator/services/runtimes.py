"""Makes the `Runtime` resources that the chart's values name.

Helm cannot: in the release that installs the CRD, a resource of its kind is not known yet. What an
administrator adds under other names stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import AlreadyExistsError, ConflictError, NotFoundError
from pilotlight.resources import ObjectMeta, Runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.resources import RuntimeSpec
    from pilotlight.storage import ResourceStore

__all__ = ["RuntimeService"]

log = structlog.get_logger()


class RuntimeService:
    """Makes runtimes what they should be."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources

    async def ensure(self, wanted: Mapping[str, RuntimeSpec]) -> None:
        """Create or change every wanted runtime; raises UnavailableError."""
        for name, spec in wanted.items():
            try:
                await self._ensure(Runtime(metadata=ObjectMeta(name=name), spec=spec))
            except (AlreadyExistsError, ConflictError):
                log.info("runtime_written_by_another", runtime=name)

    async def _ensure(self, wanted: Runtime) -> None:
        try:
            stored = await self._resources.get(Runtime, wanted.key)
        except NotFoundError:
            await self._resources.create(wanted)
            return
        if stored.spec != wanted.spec:
            await self._resources.replace(stored.model_copy(update={"spec": wanted.spec}))
