"""Signature Version 4 for requests of the platform's own, which needs no AWS library for it.

AWS IAM User Guide, "Create a signed AWS API request". The command line signs what it asks a gateway
(`pilotlight_gateway.auth.sigv4` verifies it), gateways what they ask of event sources.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Credentials", "Signer"]

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, its secret and, for temporary ones, the session's token."""

    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests of one caller for one region."""

    credentials: Credentials
    region: str
    service: str = "lambda"

    def sign(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        at: datetime | None = None,
    ) -> dict[str, str]:
        """Return a request's headers and those that authenticate it; Host among them.

        Every `X-Amz-` header is signed, for the gateway believes no other.
        """
        given = headers or {}
        signed = {name: text for name, text in given.items() if name.lower().startswith("x-amz-")}
        return {**given, **self._signed(method, url, body, signed, at)}

    def _signed(
        self, method: str, url: str, body: bytes, given: dict[str, str], at: datetime | None
    ) -> dict[str, str]:
        time = (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = given | {
            "Host": urlsplit(url).netloc, "X-Amz-Date": time, "X-Amz-Content-SHA256": digest,
        }  # fmt: skip
        if self.credentials.session_token:
            headers["X-Amz-Security-Token"] = self.credentials.session_token
        scope = f"{time[:8]}/{self.region}/{self.service}/aws4_request"
        canonical = _canonical(self.service, method, url, headers, digest)
        request = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{ALGORITHM}\n{time}\n{scope}\n{request}"
        key = _signing_key(self.credentials.secret_key, scope)
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={self.credentials.access_key}/{scope}, "
            f"SignedHeaders={_names(headers)}, Signature={signature}"
        )
        return headers


def _canonical(service: str, method: str, url: str, headers: dict[str, str], digest: str) -> str:
    parts = urlsplit(url)
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    lines = sorted(f"{name.lower()}:{' '.join(value.split())}\n" for name, value in headers.items())
    return "\n".join(
        (
            method,
            # Every service but S3 wants the path encoded once more than it is sent.
            parts.path or "/" if service == "s3" else quote(parts.path or "/", safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(lines),
            _names(headers),
            digest,
        )
    )


def _names(headers: dict[str, str]) -> str:
    return ";".join(sorted(name.lower() for name in headers))


@functools.lru_cache(maxsize=256)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
