"""How a function stands at this gateway, for `pilotlight describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.publishing import version_revision
from pilotlight_gateway.invocation.catalogue import revision_key

if TYPE_CHECKING:
    from pilotlight.resources import Function, FunctionAlias, FunctionVersion, ProvisionedStatus
    from pilotlight_gateway.services import Services

__all__ = ["describe"]


def describe(services: Services, function: Function) -> dict[str, Any]:
    """Return environments by state, versions and aliases, and the last cold start's phases (s)."""
    revision = revision_key(function)
    published = services.published
    return {
        "environments": services.dispatcher.environments(revision) if revision else {},
        "versions": [_version(services, version) for version in published.versions(function.key)],
        "aliases": [_alias(alias) for alias in published.aliases(function.key)],
        "coldStart": services.metrics.cold_starts.last(*function.key),
    }


def _version(services: Services, version: FunctionVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "environments": services.dispatcher.environments(version_revision(version)),
        "provisioned": _provisioned(version.status.provisioned),
    }


def _alias(alias: FunctionAlias) -> dict[str, Any]:
    return {
        "alias": alias.spec.alias,
        "version": alias.spec.version,
        "provisioned": _provisioned(alias.status.provisioned),
    }


def _provisioned(status: ProvisionedStatus | None) -> dict[str, Any] | None:
    return None if status is None else status.to_json()
