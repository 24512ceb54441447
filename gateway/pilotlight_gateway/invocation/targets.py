"""What a reference means: a function as it is now, or a version of it, by number or by alias.

Invocations and management calls ask here; both know functions from `catalogue` and versions and
aliases from `published`. `invoker` runs what is found.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.publishing import version_revision
from pilotlight.resources import PUBLISHED, AsyncConfig
from pilotlight_gateway.errors import InvalidParameterValueError

from .catalogue import revision_key
from .reference import LATEST

if TYPE_CHECKING:
    from pilotlight.claims import RevisionKey
    from pilotlight.resources import (
        Function,
        FunctionAlias,
        FunctionVersion,
        PolicyStatement,
        Tracing,
    )

    from .catalogue import Catalogue
    from .published import Published
    from .reference import Reference

__all__ = ["Target", "Targets"]

_DEFAULT_ASYNC_CONFIG = AsyncConfig()


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
    policy: tuple[PolicyStatement, ...] = ()
    """Of the function, version or alias that was named."""

    @property
    def timeout(self) -> int:
        """Seconds that an invocation may take."""
        if self.published is None:
            return self.function.spec.timeout
        return self.published.spec.configuration.timeout

    @property
    def tracing(self) -> Tracing:
        """Whether the platform decides that a trace is recorded."""
        if self.published is None:
            return self.function.spec.tracing
        return self.published.spec.configuration.tracing

    @property
    def isolates_tenants(self) -> bool:
        """Whether each tenant has environments of its own; it is so from the function's start."""
        return self.function.spec.tenant_isolation_mode is not None

    def check_tenant(self, tenant_id: str) -> None:
        """Raise InvalidParameterValueException where a tenant is missing, or is not expected."""
        if self.isolates_tenants == bool(tenant_id):
            return
        if tenant_id:
            raise InvalidParameterValueError(
                "The invoked function is not enabled with tenancy configuration. Remove the tenant "
                "ID from your request and try again."
            )
        raise InvalidParameterValueError(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in "
            "your request and try again."
        )

    def described(self) -> Function:
        """Return the function, or what the version froze of it."""
        return self.function if self.published is None else self.published.as_function()


class Targets:
    """Resolves references, by what the gateway knows of functions, versions and aliases."""

    def __init__(self, catalogue: Catalogue, published: Published) -> None:
        self._catalogue = catalogue
        self._published = published
        self._latest: dict[tuple[str, str], Target] = {}
        """What names alone mean, as long as their functions have not changed."""
        catalogue.on_change(self._function_changed)

    def known(self, reference: Reference) -> Target | None:
        """Return what a name alone means, where that is known already."""
        if reference.qualifier is not None:
            return None
        return self._latest.get((reference.namespace, reference.name))

    async def find(self, reference: Reference) -> Target:
        """Return what a reference means; raises ResourceNotFoundException."""
        name = (reference.namespace, reference.name)
        if reference.qualifier is None and (known := self._latest.get(name)) is not None:
            return known
        function = await self._catalogue.find(*name)
        if function is None:
            raise reference.not_found()
        found = await self.of(reference, function)
        if reference.qualifier is None and self._catalogue.get(*name) is function:
            self._latest[name] = found
        return found

    async def of(self, reference: Reference, function: Function, *, draw: bool = True) -> Target:
        """Return what a reference to that function means; raises ResourceNotFoundException.

        Of an alias with weights the version is drawn for an invocation; reads see its own.
        """
        qualifier, policy = reference.qualifier, None
        if qualifier is not None and not qualifier.isdigit() and qualifier != LATEST:
            alias = await self._published.alias(function.key, qualifier)
            if alias is None:
                raise reference.not_found()
            qualifier, policy = _choose(alias) if draw else alias.spec.version, alias.spec.policy
        if qualifier is None or qualifier == LATEST:
            policy = function.spec.policy if policy is None else policy
            return Target(function, LATEST, revision_key(function), None, tuple(policy))
        version = await self._find_version(function, qualifier)
        if version is None:
            raise reference.not_found()
        policy = version.spec.policy if policy is None else policy
        revision = version_revision(version)
        return Target(function, version.number, revision, version, tuple(policy))

    async def version_of_alias(
        self, function: Function, alias: FunctionAlias
    ) -> FunctionVersion | None:
        """Return the version that an alias means; None where that is $LATEST or is not there."""
        if alias.spec.version == LATEST:
            return None
        return await self._find_version(function, alias.spec.version)

    async def async_config(self, reference: Reference, target: Target) -> AsyncConfig:
        """Return the settings that events of a reference go by, else Lambda's defaults.

        AWS Lambda API reference, "FunctionEventInvokeConfig": a version and an alias have their
        own, and take nothing from the function's.
        """
        qualifier, version = reference.qualifier, target.published
        found: AsyncConfig | None
        if qualifier is None or qualifier == LATEST:
            found = target.function.spec.async_
        elif version is not None and qualifier == version.number:
            found = version.spec.async_
        else:
            alias = await self._published.alias(target.function.key, qualifier)
            found = alias.spec.async_ if alias else None
        return found or _DEFAULT_ASYNC_CONFIG

    async def wait_for_change(self, target: Target, *, seconds: float) -> None:
        """Wait until the function serves another revision, or is gone; at most that long."""
        await self._catalogue.wait_for_change(target.function, seconds=seconds)

    def _function_changed(self, before: Function | None, _after: Function | None) -> None:
        if before is not None:
            self._latest.pop((before.metadata.namespace, before.function_name), None)

    async def _find_version(self, function: Function, number: str) -> FunctionVersion | None:
        if number == PUBLISHED:
            return self._published.newest(function.key)
        return await self._published.version(function.key, number)


def _choose(alias: FunctionAlias) -> str:
    """Choose a version of an alias, by chance where a further one has a share."""
    for version, weight in alias.spec.weights.items():
        if random.random() < weight:  # noqa: S311  a share, no secret
            return version
    return alias.spec.version
