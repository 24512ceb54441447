"""The public keys of an OpenID Connect issuer, read over HTTPS.

OpenID Connect Discovery 1.0, section 4, and RFC 7517. The operator reads an issuer to say in a
route's condition that it can be read; gateways keep what they read (`pilotlight_gateway.http`).
Neither follows redirects, takes more than a few kilobytes, connects to private networks on a
cluster, or tells how a connection failed: an issuer is an address that a tenant wrote.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import UnavailableError
from .public_addresses import fetch

__all__ = ["read_keys"]

Key = dict[str, Any]


async def read_keys(issuer: str, *, private: bool) -> list[Key]:
    """Return an issuer's JSON Web Keys; raises UnavailableError saying what cannot be read.

    `private` allows what one machine needs: plain HTTP, and addresses that are not public.
    """
    if not private and not issuer.startswith("https://"):
        raise UnavailableError(f"{issuer} cannot be read: an https:// address is expected")
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    configuration = await _document(address, private=private)
    if configuration.get("issuer") != issuer:
        raise UnavailableError(f"{address} names another issuer than {issuer}")
    keys_address = configuration.get("jwks_uri")
    if not isinstance(keys_address, str) or not keys_address.startswith(_scheme(issuer)):
        raise UnavailableError(f"{address} names no jwks_uri")
    keys = (await _document(keys_address, private=private)).get("keys")
    if not isinstance(keys, list):
        raise UnavailableError(f"{keys_address} holds no keys")
    return [key for key in keys if isinstance(key, dict)]


def _scheme(issuer: str) -> str:
    return "https://" if issuer.startswith("https://") else "http"


async def _document(address: str, *, private: bool) -> dict[str, Any]:
    try:
        document = json.loads(await fetch(address, private=private))
    except (ValueError, RecursionError) as error:
        raise UnavailableError(f"{address} holds no JSON") from error
    if not isinstance(document, dict):
        raise UnavailableError(f"{address} holds no JSON object")
    return document
