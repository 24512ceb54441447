"""Grants: what a pod shows a gateway to get credentials of its function's role.

The autoscaler gives one to a pod whose account has its roles assumed; it names account, function
and role, is sealed with the platform key and outlives no environment. The gateway then assumes the
role (`aws.roles`), the agent hands what comes of it to the function, as often as that asks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pilotlight_wire.specialisation import CredentialsSource

from .errors import InvalidCredentialsError
from .function_credentials import LIFETIME
from .resources import Key, Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cache import Cache

__all__ = ["ASSUME_ROLES_LABEL", "PATH", "RoleGrant", "RoleGrants", "read", "seal"]

ASSUME_ROLES_LABEL = "pilotlight.dev/assume-roles"
"""Of a namespace whose functions get credentials of their roles: `"true"`."""
PATH = "/-/role-credentials"


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """Whose role it is, and until when it may be asked for."""

    namespace: str
    account: str
    function: str
    """Lambda's name."""
    role: str
    """Its ARN."""
    expires: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class RoleGrants:
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


def seal(platform_key: bytes, grant: RoleGrant) -> str:
    """Make a text of a grant that nobody can change."""
    claims = base64.urlsafe_b64encode(json.dumps(asdict(grant)).encode()).decode()
    return f"{claims}.{_digest(platform_key, claims)}"


def read(platform_key: bytes, text: str, *, now: float | None = None) -> RoleGrant:
    """Return the grant of such a text; raises InvalidCredentialsError."""
    claims, _, digest = text.partition(".")
    if not hmac.compare_digest(
        _digest(platform_key, claims).encode(), digest.encode(errors="replace")
    ):
        raise InvalidCredentialsError("the grant is none of this platform's")
    try:
        grant = RoleGrant(**json.loads(base64.urlsafe_b64decode(claims)))
    except (binascii.Error, ValueError, TypeError) as error:  # of another version
        raise InvalidCredentialsError(f"the grant cannot be read: {error}") from error
    if grant.expires < (time.time() if now is None else now):
        raise InvalidCredentialsError("the grant has expired")
    return grant


def _digest(platform_key: bytes, claims: str) -> str:
    message = f"role-grant:{claims}".encode(errors="replace")
    return hmac.new(platform_key, message, hashlib.sha256).hexdigest()
