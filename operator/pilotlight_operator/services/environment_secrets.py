"""The Secrets that hold the environment variables which came by the Lambda API.

The API writes such a Secret, labelled with its function, before it writes the function that refers
to it. Here the Secret gets its owner, and is deleted once another one took its place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pilotlight.errors import ConflictError, NotFoundError
from pilotlight.names import FUNCTION_LABEL, label_value
from pilotlight.publishing import versions_of
from pilotlight.resources import (
    SECRETS_BY_FUNCTION,
    FunctionVersion,
    Key,
    Secret,
    owned_by,
    owner_uid,
)

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.resources import Function

__all__ = ["EnvironmentSecrets"]

UNREFERENCED_SECONDS = 60.0
"""The API writes a Secret before the spec that refers to it; only older ones are superseded."""


class EnvironmentSecrets:
    """Owns and collects the Secrets of functions."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def adopt(self, function: Function) -> None:
        """Make the function the owner of the labelled Secret that it refers to."""
        reference = function.spec.environment_from
        if reference is None:
            return
        secret = self._cache.get(Secret, Key(function.metadata.namespace, reference.secret))
        if secret and _is_labelled(secret, function) and not _is_owned(secret, function):
            await self._own(secret, function)

    async def drop_superseded(self, function: Function) -> float | None:
        """Delete what the function no longer refers to; return the seconds until there is more."""
        label = (function.metadata.namespace, label_value(function.metadata.name))
        secrets = self._cache.by(SECRETS_BY_FUNCTION, label)
        superseded = [
            one
            for one in secrets
            if _is_superseded(one, function) and not self._is_published(one, function)
        ]
        young = [one for one in superseded if _age(one) < UNREFERENCED_SECONDS]
        old = [one for one in superseded if one not in young]
        if old:
            # A watch may be late, and what is deleted does not come back.
            await self._cache.refresh(FunctionVersion, namespace=function.metadata.namespace)
        for secret in old:
            if not self._is_published(secret, function):
                await self._delete(secret)
        return UNREFERENCED_SECONDS if young else None

    def _is_published(self, secret: Secret, function: Function) -> bool:
        versions = versions_of(self._cache, function.key)
        used = (one.spec.configuration.environment_secret for one in versions)
        return secret.metadata.name in used

    async def _own(self, secret: Secret, function: Function) -> None:
        metadata = owned_by(secret.metadata, function)
        try:
            await self._cache.resources.replace(secret.model_copy(update={"metadata": metadata}))
        except ConflictError:
            return  # somebody changed it; the next reconcile looks again

    async def _delete(self, secret: Secret) -> None:
        try:
            await self._cache.resources.delete(Secret, secret.key)
        except NotFoundError:
            return


def _is_superseded(secret: Secret, function: Function) -> bool:
    reference, configuration = function.spec.environment_from, function.status.configuration
    wanted = reference.secret if reference else None
    served = configuration.environment_secret if configuration else None
    ours = _is_labelled(secret, function) and _is_owned(secret, function)
    return ours and secret.metadata.name not in {wanted, served}


def _is_labelled(secret: Secret, function: Function) -> bool:
    return secret.metadata.labels.get(FUNCTION_LABEL) == label_value(function.metadata.name)


def _is_owned(secret: Secret, function: Function) -> bool:
    return owner_uid(secret.metadata, function.kind) == function.metadata.uid


def _age(secret: Secret) -> float:
    created = secret.metadata.creation_timestamp
    if created is None:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
