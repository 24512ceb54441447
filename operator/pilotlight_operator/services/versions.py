"""Reconciles published versions: says whether each can run, and how far its provisioning is.

What a version is was decided when it was published (`pilotlight.publishing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pilotlight.conditions import Said, condition
from pilotlight.errors import NotFoundError
from pilotlight.publishing import version_revision
from pilotlight.resources import (
    FunctionVersion,
    FunctionVersionStatus,
    Key,
    Runtime,
    Secret,
    now,
)
from pilotlight.snap_start import starts_ahead

from .provisioning import look_again, provisioned_status

if TYPE_CHECKING:
    from collections.abc import Collection

    from pilotlight.cache import Cache
    from pilotlight.resources import Resource
    from pilotlight.storage import ArtifactStore

    from .provisioning import Provisioning

__all__ = ["VersionService"]


class VersionService:
    """Keeps the statuses of versions."""

    kind: ClassVar[type[Resource]] = FunctionVersion

    def __init__(
        self,
        cache: Cache,
        artifacts: ArtifactStore,
        provisioning: Provisioning,
        waiting: Collection[str] | None = None,
    ) -> None:
        """`waiting` are the runtimes whose pods wait; without it those whose `Runtime` has some."""
        self._cache = cache
        self._waiting = waiting
        self._artifacts = artifacts
        self._provisioning = provisioning

    def affected_by(self, changed: Resource) -> list[FunctionVersion]:
        """Return the versions that start by fork, or do so no more, as pods of a runtime wait."""
        if not isinstance(changed, Runtime):
            return []
        return [one for one in self._cache.all(FunctionVersion) if _asks_for(one, changed)]

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
            snap_start="On" if self._starts_ahead(version) else "Off",
            conditions=[ready],
        )

    def _starts_ahead(self, version: FunctionVersion) -> bool:
        configuration = version.spec.configuration
        if configuration.snap_start == "None" or not self._waits(configuration.runtime):
            return False
        name = configuration.environment_secret
        secret = self._cache.get(Secret, Key(version.metadata.namespace, name)) if name else None
        variables = {*configuration.environment, *(secret.string_data if secret else {})}
        return starts_ahead(configuration, variables)

    def _waits(self, runtime: str) -> bool:
        if self._waiting is not None:
            return runtime in self._waiting
        found = self._cache.get(Runtime, Key("", runtime))
        return found is not None and found.spec.pool.maximum > 0

    async def _ready(self, version: FunctionVersion) -> Said:
        sha256 = version.spec.configuration.code_sha256
        if version.spec.configuration.image:
            return "True", "Serving", f"revision {version.spec.revision} can be run"
        if not await self._artifacts.belongs(sha256, version.metadata.namespace):
            return "False", "PackageMissing", f"package {sha256} is not stored"
        return "True", "Serving", f"revision {version.spec.revision} can be run"


def _asks_for(version: FunctionVersion, runtime: Runtime) -> bool:
    configuration = version.spec.configuration
    return configuration.snap_start != "None" and configuration.runtime == runtime.metadata.name


def _is_ready(status: FunctionVersionStatus) -> bool:
    return all(one.status == "True" for one in status.conditions)
