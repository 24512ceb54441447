"""Reconciles aliases: says which version each means, and how far its provisioning is.

Gateways read an alias' spec themselves; nothing waits for what is written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pilotlight.conditions import Said, condition
from pilotlight.errors import ConflictError, NotFoundError
from pilotlight.publishing import meant_version, version_revision, versions_of
from pilotlight.resources import (
    ALIASES_BY_FUNCTION,
    LATEST,
    Function,
    FunctionAlias,
    FunctionAliasStatus,
    FunctionVersion,
    now,
    owned_by,
    owner_uid,
)

from .provisioning import look_again, provisioned_status

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.resources import Key, Resource

    from .provisioning import Provisioning

__all__ = ["AliasService"]


class AliasService:
    """Keeps the statuses of aliases."""

    kind: ClassVar[type[Resource]] = FunctionAlias

    def __init__(self, cache: Cache, provisioning: Provisioning) -> None:
        self._cache = cache
        self._provisioning = provisioning

    def affected_by(self, changed: Resource) -> list[FunctionAlias]:
        """Return the aliases that a change concerns, their own apart."""
        match changed:
            case Function():
                return self._cache.by(ALIASES_BY_FUNCTION, changed.key)
            case FunctionVersion():
                return self._cache.by(ALIASES_BY_FUNCTION, changed.function)
            case _:
                return []

    async def reconcile(self, key: Key) -> float | None:
        """Bring one alias' status up to date; returns when to look again, or None."""
        alias = self._cache.get(FunctionAlias, key)
        if alias is None:
            return None
        function = self._cache.get(Function, alias.function)
        try:
            if function is not None:
                await self._adopt(alias, function)
            status = await self._status(alias, function)
            if status != alias.status:
                changed = alias.model_copy(update={"status": status})
                await self._cache.resources.write_status(changed)
        except NotFoundError:
            return None  # deleted meanwhile
        ready = all(one.status == "True" for one in status.conditions)
        return look_again(status.provisioned, settled=ready)

    async def _adopt(self, alias: FunctionAlias, function: Function) -> None:
        """Have an alias that came by kubectl deleted with its function."""
        if owner_uid(alias.metadata, function.kind) == function.metadata.uid:
            return
        metadata = owned_by(alias.metadata, function)
        try:
            await self._cache.resources.replace(alias.model_copy(update={"metadata": metadata}))
        except ConflictError:
            return  # somebody changed it; that change calls again

    async def _status(self, alias: FunctionAlias, function: Function | None) -> FunctionAliasStatus:
        versions = versions_of(self._cache, alias.function)
        version = meant_version(alias, versions)
        provisioned = None
        if version is not None:
            provisioned = await provisioned_status(
                self._provisioning,
                version_revision(version),
                alias.spec.provisioned_concurrency,
                alias.status.provisioned,
            )
        generation = alias.metadata.generation
        said = _ready(alias, function, version)
        ready = condition(alias.condition("Ready"), "Ready", said, generation=generation, at=now())
        return FunctionAliasStatus(
            observed_generation=generation,
            version=version.number if version else _plain(alias),
            provisioned=provisioned,
            conditions=[ready],
        )


def _plain(alias: FunctionAlias) -> str | None:
    return LATEST if alias.spec.version == LATEST else None


def _ready(
    alias: FunctionAlias, function: Function | None, version: FunctionVersion | None
) -> Said:
    spec = alias.spec
    if function is None:
        return "False", "FunctionNotFound", f"there is no function {spec.function!r}"
    problem = alias.own_destination(function)
    if problem is not None:
        return "False", "OwnDestination", problem
    if version is None and spec.version != LATEST:
        return "False", "VersionNotFound", f"{spec.function} has no version {spec.version}"
    return "True", "Serving", f"version {version.number if version else LATEST} is meant"
