"""Grants: what a pod shows a gateway to get credentials of its function's role.

The autoscaler gives one to a pod whose account has its roles assumed (`pods.granted_roles`). It
names account, function and role, is sealed with the platform key and outlives no environment. The
gateway then assumes the role (`aws.roles`), the agent hands what comes of it to the function, as
often as that asks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import asdict, dataclass

from .errors import InvalidCredentialsError

__all__ = ["PATH", "RoleGrant", "read", "seal"]

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
