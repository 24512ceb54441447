"""Reconciles aliases: says which version each means, and how far its provisioning is.

Gateways read an alias' spec themselves; nothing waits for what is written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.conditions import Said, condition
from pilotlight.errors import ConflictError, NotFoundError
from pilotlight.publishing import meant_version, version_revision, versions_of
from pilotlight.resources import (
    LATEST,
    PUBLISHED,
    Function,
    FunctionAlias,
    FunctionAliasStatus,
    FunctionVersion,
    Key,
    now,
    owned_by,
    owner_uid,
)

from .provisioning import look_again, provisioned_status

if TYPE_CHECKING:
    from pilotlight.storage import ResourceStore

    from .provisioning import Provisioning

__all__ = ["AliasService"]


class AliasService:
    """Keeps the statuses of aliases."""

    def __init__(self, resources: ResourceStore, provisioning: Provisioning) -> None:
        self._resources = resources
        self._provisioning = provisioning

    async def reconcile(self, key: Key) -> float | None:
        """Bring one alias' status up to date; gives when to look again, or None."""
        try:
            alias = await self._resources.get(FunctionAlias, key)
            function = await self._function(alias)
            if function is not None:
                await self._adopt(alias, function)
            status = await self._status(alias, function)
            if status != alias.status:
                await self._resources.write_status(alias.model_copy(update={"status": status}))
        except NotFoundError:
            return None
        ready = all(one.status == "True" for one in status.conditions)
        settled = ready and alias.spec.version != PUBLISHED
        return look_again(status.provisioned, settled=settled)

    async def _function(self, alias: FunctionAlias) -> Function | None:
        try:
            return await self._resources.get(Function, _function_of(alias))
        except NotFoundError:
            return None

    async def _adopt(self, alias: FunctionAlias, function: Function) -> None:
        """Have an alias that came by kubectl deleted with its function."""
        if owner_uid(alias.metadata, function.kind) == function.metadata.uid:
            return
        metadata = owned_by(alias.metadata, function)
        try:
            await self._resources.replace(alias.model_copy(update={"metadata": metadata}))
        except ConflictError:
            return  # somebody changed it; that change calls again

    async def _status(self, alias: FunctionAlias, function: Function | None) -> FunctionAliasStatus:
        versions = await versions_of(self._resources, _function_of(alias))
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


def _function_of(alias: FunctionAlias) -> Key:
    return Key(alias.metadata.namespace, alias.spec.function)


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
