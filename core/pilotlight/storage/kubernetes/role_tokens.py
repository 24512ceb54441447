"""Tokens of ServiceAccounts that stand for roles: short-lived, for STS and nobody else.

A ServiceAccount of a role's name in the function's namespace, labelled as a role, is what an STS
that trusts the cluster's issuer (AWS's by an OIDC provider, MinIO's) gives the role to. A gateway
asks for a token each time that it assumes the role (`aws.roles`); the function never has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.errors import NotFoundError

if TYPE_CHECKING:
    from pilotlight.role_grants import RoleGrant

    from .api import KubernetesApi

__all__ = ["ROLE_LABEL", "RoleTokens"]

ROLE_LABEL = "pilotlight.dev/role"
"""Of a ServiceAccount that functions may be: `"true"`. Others, such as an admin's, are none."""
LIFETIME = 600
"""Seconds, the least that Kubernetes gives: it is used at once."""


class RoleTokens:
    """Tokens for the roles of all accounts."""

    def __init__(self, api: KubernetesApi, audience: str) -> None:
        self._api = api
        self._audience = audience

    async def of(self, grant: RoleGrant) -> str | None:
        """Return a token of the role's ServiceAccount; None where there is none."""
        name = grant.role.rpartition("/")[2]
        path = f"/api/v1/namespaces/{grant.namespace}/serviceaccounts/{name}"
        try:
            account = await self._api.request("GET", path)
        except NotFoundError:
            return None
        if account["metadata"].get("labels", {}).get(ROLE_LABEL) != "true":
            return None
        wanted = {"audiences": [self._audience], "expirationSeconds": LIFETIME}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        answer = await self._api.request("POST", f"{path}/token", body=request)
        return str(answer["status"]["token"])
