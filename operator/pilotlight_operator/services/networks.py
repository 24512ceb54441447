"""Keeps the network policies of functions: there before a pod that needs them, gone long after.

A policy is one network of one function, found by its digest; it never changes but where the chart's
walls do. Security groups are an admin's own policies: here they are looked for, and joined by a
label of the pods (`manifests.network`). In local mode there are no walls, and so no networks.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pilotlight.errors import AlreadyExistsError, ConflictError, NotFoundError, PilotlightError
from pilotlight.names import (
    NETWORK_LABEL,
    SECURITY_GROUP_LABEL,
    SUPERSEDED_ANNOTATION,
    label_value,
    security_group_label,
)
from pilotlight.publishing import versions_of
from pilotlight.resources import (
    POLICIES_BY_FUNCTION,
    POLICIES_BY_SECURITY_GROUP,
    NetworkPolicy,
    now,
    owned_by,
)
from pilotlight_operator.manifests.network import network_digest, network_policy

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.resources import Function, Network
    from pilotlight.walls import Walls

__all__ = ["NetworkError", "Networks"]

KEPT_SECONDS = 1000.0
"""How long an unneeded policy stays: the longest timeout, and time for pods to go."""


class NetworkError(PilotlightError):
    """A function cannot have its network; `state_code` is Lambda's StateReasonCode."""

    code = "NetworkUnusable"
    status = 400

    def __init__(self, reason: str, message: str, state_code: str = "InvalidConfiguration") -> None:
        super().__init__(message)
        self.reason = reason
        self.state_code = state_code


class Networks:
    """Networks of functions within walls; without any (local mode) no function may have one."""

    def __init__(self, cache: Cache, walls: Walls | None) -> None:
        self._cache = cache
        self._walls = walls

    def check(self, function: Function) -> NetworkError | None:
        """Say why a function cannot have its network; None where it can, or asks for none."""
        network, namespace = function.spec.network, function.metadata.namespace
        if network is None:
            return None
        if self._walls is None:
            return NetworkError(
                "NetworkUnsupported",
                "network: local mode walls nothing in, its functions reach what this machine "
                "reaches; leave it out, or take a cluster",
            )
        if (refused := self._walls.refusal(namespace, network)) is not None:
            return NetworkError("NetworkRefused", refused)
        return self._check_subnets(network, self._walls) or self._check_groups(namespace, network)

    async def ensure(self, function: Function) -> None:
        """Write the policies that the function needs now or next, and mend what others changed."""
        if self._walls is None:
            return
        known = self._policies(function)
        for digest, network in self._needed(function).items():
            wanted = network_policy(function.key, network, self._walls)
            metadata = owned_by(wanted.metadata, function)
            await self._write(wanted.model_copy(update={"metadata": metadata}), known.get(digest))

    async def drop_superseded(self, function: Function) -> float | None:
        """Delete policies that nothing has needed for long; returns when there may be more."""
        needed = self._needed(function)
        superseded = [one for key, one in self._policies(function).items() if key not in needed]
        for policy in superseded:
            since = policy.metadata.annotations.get(SUPERSEDED_ANNOTATION)
            with suppress(ConflictError, NotFoundError):
                if since is None:
                    await self._mark(policy)
                elif _age(since) >= KEPT_SECONDS:
                    await self._cache.resources.delete(NetworkPolicy, policy.key)
        return KEPT_SECONDS if superseded else None

    def _check_subnets(self, network: Network, walls: Walls) -> NetworkError | None:
        unknown = [one for one in network.subnet_ids if one not in walls.subnets]
        if unknown:
            there = ", ".join(sorted(walls.subnets)) or "none"
            return NetworkError(
                "SubnetUnknown",
                f"network.subnetIds: the subnet ID {unknown[0]!r} does not exist; "
                f"functions.network.subnets of the chart has {there}",
                "InvalidSubnet",
            )
        return None

    def _check_groups(self, namespace: str, network: Network) -> NetworkError | None:
        for group in network.security_group_ids:
            found = self._cache.by(POLICIES_BY_SECURITY_GROUP, (namespace, group))
            problem = _problem_of_group(group, found)
            if problem is not None:
                return NetworkError("SecurityGroupUnknown", problem, "InvalidSecurityGroup")
        return None

    def _needed(self, function: Function) -> dict[str, Network]:
        """Return what is asked for, what is served, and what versions have, by digest."""
        served = function.status.configuration
        versions = versions_of(self._cache, function.key)
        networks = (
            function.spec.network,
            served.network if served else None,
            *(one.spec.configuration.network for one in versions),
        )
        return {network_digest(one): one for one in networks if one is not None}

    def _policies(self, function: Function) -> dict[str, NetworkPolicy]:
        whose = (function.metadata.namespace, label_value(function.metadata.name))
        return {
            one.metadata.labels[NETWORK_LABEL]: one
            for one in self._cache.by(POLICIES_BY_FUNCTION, whose)
            if NETWORK_LABEL in one.metadata.labels
        }

    async def _write(self, wanted: NetworkPolicy, known: NetworkPolicy | None) -> None:
        resources = self._cache.resources
        if known is None:
            try:
                await resources.create(wanted)
            except AlreadyExistsError:  # the watch is behind, or somebody took its labels away
                known = await resources.get(NetworkPolicy, wanted.key)
        if known is not None and not _is_as(known, wanted):
            version = {"resource_version": known.metadata.resource_version}
            metadata = wanted.metadata.model_copy(update=version)
            await resources.replace(wanted.model_copy(update={"metadata": metadata}))

    async def _mark(self, policy: NetworkPolicy) -> None:
        annotations = policy.metadata.annotations | {SUPERSEDED_ANNOTATION: now()}
        metadata = policy.metadata.model_copy(update={"annotations": annotations})
        await self._cache.resources.replace(policy.model_copy(update={"metadata": metadata}))


def _problem_of_group(group: str, found: list[NetworkPolicy]) -> str | None:
    """Say why pods may not join a security group; it must be there, and open outward alone."""
    if not found:
        return (
            f"network.securityGroupIds: the security group {group!r} does not exist; a "
            f"NetworkPolicy labelled {SECURITY_GROUP_LABEL}={group} is expected"
        )
    label = security_group_label(group)
    for policy in found:
        name, spec = policy.metadata.name, policy.spec
        selected = spec.get("podSelector", {}).get("matchLabels", {})
        if selected.get(label) != "true":
            return (
                f"network.securityGroupIds: NetworkPolicy {name!r} of {group} selects others than "
                f"its pods: podSelector.matchLabels with {label}: 'true' is expected"
            )
        if spec.get("policyTypes") != ["Egress"]:
            return (
                f"network.securityGroupIds: NetworkPolicy {name!r} of {group} has policyTypes "
                f"{spec.get('policyTypes')}: [Egress] is expected, nothing opens functions inward"
            )
    return None


def _is_as(known: NetworkPolicy, wanted: NetworkPolicy) -> bool:
    """Whether a policy says what it must, and counts as needed."""
    labels = wanted.metadata.labels.items() <= known.metadata.labels.items()
    marked = SUPERSEDED_ANNOTATION in known.metadata.annotations
    return labels and not marked and _plain(known.spec) == _plain(wanted.spec)


def _plain(spec: dict[str, object]) -> dict[str, object]:
    """Leave out what the API server leaves out: an empty list."""
    return {name: value for name, value in spec.items() if value}


def _age(since: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
