"""Reconciles published versions: says whether each can run, and how far its provisioning is.

What a version is was decided when it was published (`pilotlight.publishing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pilotlight.conditions import Said, condition
from pilotlight.errors import NotFoundError
from pilotlight.publishing import version_revision
from pilotlight.resources import FunctionVersion, FunctionVersionStatus, now

from .provisioning import look_again, provisioned_status

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.resources import Key, Resource
    from pilotlight.storage import ArtifactStore

    from .provisioning import Provisioning

__all__ = ["VersionService"]


class VersionService:
    """Keeps the statuses of versions."""

    kind: ClassVar[type[Resource]] = FunctionVersion

    def __init__(self, cache: Cache, artifacts: ArtifactStore, provisioning: Provisioning) -> None:
        self._cache = cache
        self._artifacts = artifacts
        self._provisioning = provisioning

    def affected_by(self, _changed: Resource) -> list[FunctionVersion]:
        """Return none: nothing else changes what a version is."""
        return []

    async def reconcile(self, key: Key) -> float | None:
        """Bring one version's status up to date; returns when to look again, or None."""
        version = self._cache.get(FunctionVersion, key)
        if version is None:
            return None
        try:
            status = await self._status(version)
            if status != version.status:
                changed = version.model_copy(update={"status": status})
                await self._cache.resources.write_status(changed)
        except NotFoundError:
            return None  # deleted meanwhile
        return look_again(status.provisioned, settled=_is_ready(status))

    async def _status(self, version: FunctionVersion) -> FunctionVersionStatus:
        generation = version.metadata.generation
        ready = condition(
            version.condition("Ready"), "Ready", await self._ready(version),
            generation=generation, at=now(),
        )  # fmt: skip
        return FunctionVersionStatus(
            observed_generation=generation,
            provisioned=await provisioned_status(
                self._provisioning,
                version_revision(version),
                version.spec.provisioned_concurrency,
                version.status.provisioned,
            ),
            conditions=[ready],
        )

    async def _ready(self, version: FunctionVersion) -> Said:
        sha256 = version.spec.configuration.code_sha256
        if not await self._artifacts.belongs(sha256, version.metadata.namespace):
            return "False", "PackageMissing", f"package {sha256} is not stored"
        return "True", "Serving", f"revision {version.spec.revision} can be run"


def _is_ready(status: FunctionVersionStatus) -> bool:
    return all(one.status == "True" for one in status.conditions)
