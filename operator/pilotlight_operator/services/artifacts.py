"""Collects deployment packages that no function refers to any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import Function, FunctionVersion

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.storage import ArtifactStore

__all__ = ["ArtifactService"]

UNUSED_SECONDS = 24 * 3600.0
"""How long a package stays after its last use: an upload comes before the function that names it,
and a rollback soon after an update finds its package."""


class ArtifactService:
    """Knows which packages are in use."""

    def __init__(self, cache: Cache, artifacts: ArtifactStore) -> None:
        self._cache = cache
        self._artifacts = artifacts

    async def collect(self) -> int:
        """Delete what is unused for a day, and return how many; raises UnavailableError."""
        # A watch may be late, and what is deleted does not come back.
        await self._cache.refresh(Function, FunctionVersion)
        functions, versions = self._cache.all(Function), self._cache.all(FunctionVersion)
        referenced = {sha256 for function in functions for sha256 in _packages(function)}
        referenced |= {one.spec.configuration.code_sha256 for one in versions}
        return await self._artifacts.collect(referenced, unused_seconds=UNUSED_SECONDS)


def _packages(function: Function) -> set[str]:
    configuration = function.status.configuration
    served = configuration.code_sha256 if configuration else None
    pinned = function.status.pinned.sha256 if function.status.pinned else None
    return {sha256 for sha256 in (function.spec.code.zip, served, pinned) if sha256}
