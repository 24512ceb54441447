"""Checks a caller's JSON Web Token (RFC 7519) against a route's issuer, audience and scopes.

Only asymmetric algorithms, so that no public key is ever taken for a shared secret; `exp`, `iss`
and `aud` are required. API Gateway Developer Guide, "JWT authorizers": the audience may stand in
`client_id`, scopes in `scope` or `scp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt

from pilotlight.errors import UnavailableError

from .errors import HttpError

if TYPE_CHECKING:
    from pilotlight.resources import JwtAuth

    from .issuers import Issuers
    from .site import Findings

__all__ = ["check_token"]

ALGORITHMS = frozenset({
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
})  # fmt: skip
LONGEST_TOKEN = 16_384
LONGEST_KEY_ID = 256
LEEWAY_SECONDS = 10


async def check_token(issuers: Issuers, wanted: JwtAuth, authorization: str) -> Findings:
    """Return the claims and scopes of a good token as payload 2.0 says them.

    Raises HttpError: 401 where the token is not good, 403 where it lacks the scope, 503 where the
    issuer's keys cannot be read.
    """
    token = _token(authorization)
    claims = _claims(token, await _key(issuers, wanted.issuer, token), wanted.issuer)
    audience = claims.get("aud", claims.get("client_id"))
    if not set(_texts(audience)) & set(wanted.audience):
        raise _unauthorised("invalid_token", "the audience is another one")
    scopes = _scopes(claims)
    if wanted.scopes and not set(scopes) & set(wanted.scopes):
        raise HttpError(403)
    said = {name: _text(value) for name, value in claims.items()}
    return {"jwt": {"claims": said, "scopes": scopes or None}}


def _token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if not token:
        scheme, token = "bearer", scheme
    if scheme.lower() != "bearer" or not token or len(token) > LONGEST_TOKEN:
        raise _unauthorised()
    return token.strip()


async def _key(issuers: Issuers, issuer: str, token: str) -> jwt.PyJWK:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError) as error:
        raise _unauthorised("invalid_token", "it cannot be read") from error
    key_id, algorithm = str(header.get("kid", "")), str(header.get("alg"))
    if algorithm not in ALGORITHMS or len(key_id) > LONGEST_KEY_ID:
        raise _unauthorised("invalid_token", "its algorithm or key is not accepted")
    try:
        found = await issuers.key(issuer, key_id)
        if found is None:
            raise _unauthorised("invalid_token", "its key is not one of the issuer's")
        return jwt.PyJWK(found, algorithm=algorithm)
    except UnavailableError as error:
        raise HttpError(503, f"The token's issuer cannot be asked: {error}") from error
    except jwt.PyJWTError as error:
        raise _unauthorised("invalid_token", "its key does not fit its algorithm") from error


def _claims(token: str, key: jwt.PyJWK, issuer: str) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss"], "verify_aud": False},
        )
    except (jwt.InvalidTokenError, TypeError, ValueError) as error:
        raise _unauthorised("invalid_token", str(error)) from error


def _scopes(claims: dict[str, Any]) -> list[str]:
    found = claims.get("scope", claims.get("scp"))
    return found.split() if isinstance(found, str) else _texts(found)


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


def _text(value: object) -> str:
    """Write a claim as API Gateway does: every one is a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{' '.join(str(one) for one in value)}]"
    return str(value)


def _unauthorised(error: str = "", description: str = "") -> HttpError:
    plain = "".join(one for one in description if one.isprintable() and one not in '"\\')
    header = f'Bearer error="{error}", error_description="{plain}"' if error else "Bearer"
    return HttpError(401, headers=(("WWW-Authenticate", header),))
