"""Kubernetes' own kinds that Pilotlight reads: Secrets, Namespaces, claims, NetworkPolicies.

A Secret holds the environment variables that came by the API, or access keys; a Namespace is an
account. In local mode both live in the embedded store like every other resource. A claim is a file
system of functions, a NetworkPolicy what some may reach; local mode has neither.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from ..names import ACCESS_POINT_LABEL, ACCOUNT_LABEL, FUNCTION_LABEL, SECURITY_GROUP_LABEL
from .meta import Index, Model, Resource

__all__ = [
    "CLAIMS_BY_ACCESS_POINT",
    "NAMESPACES_BY_ACCOUNT",
    "POLICIES_BY_FUNCTION",
    "POLICIES_BY_SECURITY_GROUP",
    "SECRETS_BY_FUNCTION",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Secret",
]


class Secret(Resource):
    """A Secret, its values decoded."""

    kind_name: ClassVar[str] = "Secret"
    plural: ClassVar[str] = "secrets"

    api_version: str = "v1"
    kind: Literal["Secret"] = "Secret"
    string_data: dict[str, str] = Field(default_factory=dict, repr=False)


class Namespace(Resource):
    """A namespace, which is an account."""

    kind_name: ClassVar[str] = "Namespace"
    plural: ClassVar[str] = "namespaces"
    cluster_scoped: ClassVar[bool] = True

    api_version: str = "v1"
    kind: Literal["Namespace"] = "Namespace"


class _ClaimSpec(Model):
    model_config = ConfigDict(extra="ignore")

    access_modes: list[str] = Field(default_factory=list)


class _ClaimStatus(Model):
    model_config = ConfigDict(extra="ignore")

    phase: str = "Pending"


class PersistentVolumeClaim(Resource):
    """A claim on a volume; one that is labelled as an access point, functions may mount."""

    kind_name: ClassVar[str] = "PersistentVolumeClaim"
    plural: ClassVar[str] = "persistentvolumeclaims"
    in_manifests: ClassVar[bool] = False

    api_version: str = "v1"
    kind: Literal["PersistentVolumeClaim"] = "PersistentVolumeClaim"
    spec: _ClaimSpec = Field(default_factory=_ClaimSpec)
    status: _ClaimStatus = Field(default_factory=_ClaimStatus)

    @property
    def access_point(self) -> str | None:
        """The access point that it is."""
        return self.metadata.labels.get(ACCESS_POINT_LABEL)


class NetworkPolicy(Resource):
    """What pods may reach; one that is labelled as a security group, functions may join."""

    kind_name: ClassVar[str] = "NetworkPolicy"
    plural: ClassVar[str] = "networkpolicies"
    in_manifests: ClassVar[bool] = False

    api_version: str = "networking.k8s.io/v1"
    kind: Literal["NetworkPolicy"] = "NetworkPolicy"
    spec: dict[str, Any] = Field(default_factory=dict)

    @property
    def security_group(self) -> str | None:
        """The security group that it is."""
        return self.metadata.labels.get(SECURITY_GROUP_LABEL)


NAMESPACES_BY_ACCOUNT = Index(
    Namespace, lambda namespace: [namespace.metadata.labels.get(ACCOUNT_LABEL)]
)
"""By the account id of the label; by None those without."""
SECRETS_BY_FUNCTION = Index(
    Secret,
    lambda secret: [(secret.metadata.namespace, secret.metadata.labels.get(FUNCTION_LABEL))],
)
"""By namespace and the label of the function whose variables they hold."""
CLAIMS_BY_ACCESS_POINT = Index(
    PersistentVolumeClaim, lambda claim: [(claim.metadata.namespace, claim.access_point)]
)
"""By namespace and the access point that they are."""
POLICIES_BY_FUNCTION = Index(
    NetworkPolicy,
    lambda policy: [(policy.metadata.namespace, policy.metadata.labels.get(FUNCTION_LABEL))],
)
"""By namespace and the label of the function whose network they open."""
POLICIES_BY_SECURITY_GROUP = Index(
    NetworkPolicy, lambda policy: [(policy.metadata.namespace, policy.security_group)]
)
"""By namespace and the security group that they are."""
