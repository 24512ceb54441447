"""Credentials of a function's own: what an environment is given, good for the gateway's API.

The autoscaler derives them from the platform key when it specialises a pod; the gateway derives the
secret again from the session token that comes with a request (`auth.function_keys`). So nothing is
stored, no pod holds the platform key, and whoever steals them is one function, for hours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import asdict, dataclass, field

from pilotlight_wire import specialisation

from .errors import InvalidCredentialsError

__all__ = ["LIFETIME", "FunctionCredentials", "FunctionIdentity", "issue", "read"]

LIFETIME = specialisation.LIFETIME + 3600
"""Seconds; they are not renewed: environments end before them, also with a call in its middle."""


@dataclass(frozen=True, slots=True)
class FunctionIdentity:
    """Whose credentials they are, and until when."""

    namespace: str
    account: str
    """12 digits."""
    function: str
    """Lambda's name."""
    expires: int
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class FunctionCredentials:
    """What signs a function's requests."""

    identity: FunctionIdentity
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)

    def variables(self) -> dict[str, str]:
        """Return them as AWS's SDKs read them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


def issue(  # noqa: PLR0913  whose they are and for how long, by name
    platform_key: bytes,
    *,
    namespace: str,
    account: str,
    function: str,
    now: float | None = None,
    seconds: float = LIFETIME,
) -> FunctionCredentials:
    """Derive a function's credentials, good from now on for so many seconds."""
    expires = int((time.time() if now is None else now) + seconds)
    identity = FunctionIdentity(namespace, account, function, expires)
    claims = base64.urlsafe_b64encode(json.dumps(asdict(identity)).encode()).decode()
    return _derive(platform_key, identity, claims)


def read(platform_key: bytes, session_token: str) -> FunctionCredentials:
    """Derive the credentials that a session token belongs to; they may have expired.

    Raises InvalidCredentialsError where this platform did not issue it.
    """
    claims, _, seal = session_token.partition(".")
    wanted = _digest(platform_key, "token", claims).hex()
    if not hmac.compare_digest(wanted.encode(), seal.encode(errors="replace")):
        raise InvalidCredentialsError("the session token is none of this platform's")
    try:
        identity = FunctionIdentity(**json.loads(base64.urlsafe_b64decode(claims)))
    except (binascii.Error, ValueError, TypeError) as error:  # of another version, sealed all right
        raise InvalidCredentialsError(f"the session token cannot be read: {error}") from error
    return _derive(platform_key, identity, claims)


def _derive(platform_key: bytes, identity: FunctionIdentity, claims: str) -> FunctionCredentials:
    access = base64.b32encode(_digest(platform_key, "access-key", claims)).decode()[:16]
    return FunctionCredentials(
        identity,
        access_key=f"ASIA{access}",
        secret_key=base64.b64encode(_digest(platform_key, "secret-key", claims)).decode(),
        session_token=f"{claims}.{_digest(platform_key, 'token', claims).hex()}",
    )


def _digest(platform_key: bytes, purpose: str, claims: str) -> bytes:
    message = f"function-{purpose}:{claims}".encode(errors="replace")
    return hmac.new(platform_key, message, hashlib.sha256).digest()
