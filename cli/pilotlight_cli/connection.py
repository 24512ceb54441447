"""Which Pilotlight is meant and who asks: from options, then from the variables AWS's SDKs read.

AWS SDKs and Tools Reference Guide, "Service-specific endpoints". Without any of them it is the
local platform on its usual port, where any credentials do.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pilotlight.signing import Credentials

from .failures import USAGE, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_PORT", "Connection", "connection_from"]

DEFAULT_PORT = 9001
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Connection:
    """An endpoint, a region and credentials."""

    endpoint: str
    region: str
    credentials: Credentials


def connection_from(
    endpoint: str | None = None, environment: Mapping[str, str] = os.environ
) -> Connection:
    """Settle the connection; a Failure names what is missing or malformed."""
    url = (
        endpoint
        or environment.get("AWS_ENDPOINT_URL_LAMBDA")
        or environment.get("AWS_ENDPOINT_URL")
        or f"http://127.0.0.1:{DEFAULT_PORT}"
    ).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failure(f"endpoint {url!r}: an http or https URL is expected", USAGE)
    region = (
        environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    )
    return Connection(url, region, _credentials(parts.hostname, environment))


def _credentials(host: str, environment: Mapping[str, str]) -> Credentials:
    access_key = environment.get("AWS_ACCESS_KEY_ID")
    secret_key = environment.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return Credentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN"))
    if _is_loopback(host):
        return Credentials("test", "test")
    raise Failure(
        f"{host} wants credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", USAGE
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
