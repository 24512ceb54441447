"""Decides which pods get credentials of their function's role: those of accounts that ask for it.

`revisions` asks here, and puts what it gets into the specialisation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.function_credentials import LIFETIME
from pilotlight.resources import Key, Namespace
from pilotlight.role_grants import PATH, RoleGrant, seal
from pilotlight_wire.specialisation import CredentialsSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.cache import Cache

__all__ = ["ASSUME_ROLES_LABEL", "GrantedRoles"]

ASSUME_ROLES_LABEL = "pilotlight.dev/assume-roles"
"""Of a namespace whose functions get credentials of their roles: `"true"`."""


@dataclass(frozen=True, slots=True)
class GrantedRoles:
    """Grants for the pods of all accounts."""

    platform_key: bytes
    cache: Cache
    url: Callable[[], str]
    """Where pods reach a gateway."""
    everywhere: bool = False
    """Whether all accounts have their roles assumed (local mode, where an STS is named)."""

    async def source(
        self, *, namespace: str, account: str, function: str, role: str | None
    ) -> CredentialsSource | None:
        """Say where a function's pod gets credentials of its role; None where it gets none."""
        if role is None or not await self._assumes(namespace):
            return None
        grant = RoleGrant(namespace, account, function, role, int(time.time()) + LIFETIME)
        return CredentialsSource(url=self.url() + PATH, ticket=seal(self.platform_key, grant))

    async def _assumes(self, namespace: str) -> bool:
        if self.everywhere:
            return True
        found = await self.cache.find(Namespace, Key("", namespace))
        return found is not None and found.metadata.labels.get(ASSUME_ROLES_LABEL) == "true"
