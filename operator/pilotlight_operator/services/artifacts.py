"""Collects deployment packages that no function refers to any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.resources import Function, FunctionVersion, LayerVersion

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.resources import Configuration
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
        await self._cache.refresh(Function, FunctionVersion, LayerVersion)
        functions, versions = self._cache.all(Function), self._cache.all(FunctionVersion)
        referenced = {sha256 for function in functions for sha256 in _packages(function)}
        for version in versions:
            referenced |= _of_configuration(version.spec.configuration)
        layers = self._cache.all(LayerVersion)
        referenced |= {one.spec.code_sha256 for one in layers if not one.spec.deleted}
        return await self._artifacts.collect(referenced, unused_seconds=UNUSED_SECONDS)


def _packages(function: Function) -> set[str]:
    configuration = function.status.configuration
    served = _of_configuration(configuration) if configuration else set()
    pinned = function.status.pinned.sha256 if function.status.pinned else None
    return served | {sha256 for sha256 in (function.spec.code.zip, pinned) if sha256}


def _of_configuration(configuration: Configuration) -> set[str]:
    return {configuration.code_sha256, *(layer.sha256 for layer in configuration.layers)}
