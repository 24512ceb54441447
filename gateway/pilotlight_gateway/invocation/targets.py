"""What a reference means: a function as it is now, or a version of it, by number or by alias.

Invocations and management calls ask here; both know functions from `catalogue` and versions and
aliases from `published`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.publishing import version_revision
from pilotlight.resources import PUBLISHED

from .catalogue import revision_key
from .reference import LATEST

if TYPE_CHECKING:
    from pilotlight.claims import RevisionKey
    from pilotlight.resources import Function, FunctionAlias, FunctionVersion
    from pilotlight_gateway.services import Services

    from .reference import Reference

__all__ = ["Target", "find_target", "target_of", "version_of_alias"]


@dataclass(frozen=True, slots=True)
class Target:
    """What an invocation runs."""

    function: Function
    version: str
    """`$LATEST` or a number."""
    revision: RevisionKey | None
    """None where the function serves nothing yet."""
    published: FunctionVersion | None = None
    """The version; None for `$LATEST`."""

    @property
    def timeout(self) -> int:
        """Seconds that an invocation may take."""
        if self.published is None:
            return self.function.spec.timeout
        return self.published.spec.configuration.timeout

    def described(self) -> Function:
        """Give the function, or what the version froze of it."""
        return self.function if self.published is None else self.published.as_function()


async def find_target(services: Services, reference: Reference) -> Target:
    """Give what a reference means; raises ResourceNotFoundException."""
    function = await services.catalogue.find(reference.namespace, reference.name)
    if function is None:
        raise reference.not_found()
    return await target_of(services, reference, function)


async def target_of(
    services: Services, reference: Reference, function: Function, *, draw: bool = True
) -> Target:
    """Return what a reference to that function means; raises ResourceNotFoundException.

    Of an alias with weights the version is drawn for an invocation; reads see its own.
    """
    qualifier = reference.qualifier
    if qualifier is not None and not qualifier.isdigit() and qualifier != LATEST:
        alias = await services.published.alias(function.key, qualifier)
        if alias is None:
            raise reference.not_found()
        qualifier = _choose(alias) if draw else alias.spec.version
    if qualifier is None or qualifier == LATEST:
        return Target(function, LATEST, revision_key(function))
    version = await _find_version(services, function, qualifier)
    if version is None:
        raise reference.not_found()
    return Target(function, version.number, version_revision(version), version)


async def version_of_alias(
    services: Services, function: Function, alias: FunctionAlias
) -> FunctionVersion | None:
    """Give the version that an alias means; None where that is $LATEST or is not there."""
    if alias.spec.version == LATEST:
        return None
    return await _find_version(services, function, alias.spec.version)


async def _find_version(
    services: Services, function: Function, number: str
) -> FunctionVersion | None:
    if number == PUBLISHED:
        return services.published.newest(function.key)
    return await services.published.version(function.key, number)


def _choose(alias: FunctionAlias) -> str:
    """Give the version of an alias, by chance where a further one has a share."""
    for version, weight in alias.spec.weights.items():
        if random.random() < weight:  # noqa: S311  a share, no secret
            return version
    return alias.spec.version
