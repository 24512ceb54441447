"""The two of Kubernetes' own kinds that Pilotlight reads: Secrets and Namespaces.

A Secret holds the environment variables that came by the API, or access keys; a Namespace is an
account. In local mode both live in the embedded store like every other resource.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..names import ACCOUNT_LABEL, FUNCTION_LABEL
from .meta import Index, Resource

__all__ = ["NAMESPACES_BY_ACCOUNT", "SECRETS_BY_FUNCTION", "Namespace", "Secret"]


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


NAMESPACES_BY_ACCOUNT = Index(
    Namespace, lambda namespace: [namespace.metadata.labels.get(ACCOUNT_LABEL)]
)
"""By the account id of the label; by None those without."""
SECRETS_BY_FUNCTION = Index(
    Secret,
    lambda secret: [(secret.metadata.namespace, secret.metadata.labels.get(FUNCTION_LABEL))],
)
"""By namespace and the label of the function whose variables they hold."""
