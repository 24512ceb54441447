"""Verifies AWS Signature Version 4: rebuilds what the client signed from the raw request.

Source: AWS IAM User Guide, "Create a signed AWS API request". Stricter than it has to be where
laxness was a hole elsewhere: `host`, the date and every `x-amz-*` header must be signed, repeated
headers are refused, the body's real hash counts, comparison is constant-time.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from pilotlight_gateway.errors import (
    IncompleteSignatureError,
    InvalidSignatureError,
    MissingTokenError,
    UnrecognizedClientError,
)

from .caller import Caller, RequestHead
from .credentials import ALGORITHM, Credentials, parse_authorization

if TYPE_CHECKING:
    from collections.abc import Callable

    from .access_keys import AccessKey, AccessKeys
    from .caller import Hashed, Verify
    from .function_keys import FunctionKeys

__all__ = ["SigV4Authenticator", "signature_of"]

SKEW = timedelta(minutes=5)
_BODY_SHA256 = "x-amz-content-sha256"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPACES = re.compile(r"[ \t]+")
_UNRESERVED = re.compile(r"[A-Za-z0-9/._~-]*")
"""What no encoding changes (RFC 3986, section 2.3), and the slash."""
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_UNSAFE = "The request signature we calculated does not match the signature you provided. {why}"


@dataclass(frozen=True, slots=True)
class SigV4Authenticator:
    """Believes who can sign."""

    keys: AccessKeys
    region: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    functions: FunctionKeys | None = None
    """Credentials with a session token; None where no function has any."""

    async def check_head(self, head: RequestHead) -> Verify:
        """Verify all but the body's hash; where the head announces it, the signature too."""
        credentials = parse_authorization(head.headers.get("Authorization", ""))
        if credentials is None:
            raise MissingTokenError("Missing Authentication Token")
        self._check_form(head, credentials)
        key = await self._find_key(head, credentials)
        if key is None:
            raise UnrecognizedClientError("The security token included in the request is invalid.")
        if (announced := head.headers.get(_BODY_SHA256)) is not None:
            _check_signature(head, credentials, announced, key.secret)
        return functools.partial(_verify, head, credentials, key)

    async def _find_key(self, head: RequestHead, credentials: Credentials) -> AccessKey | None:
        token = head.headers.get("x-amz-security-token")
        if token is None:
            return await self.keys.find(credentials.access_key)
        if self.functions is None:
            return None
        return await self.functions.find(credentials.access_key, token)

    def _check_form(self, head: RequestHead, credentials: Credentials) -> None:
        self._check_date(head, credentials)
        if credentials.region != self.region:
            raise InvalidSignatureError(
                f"Credential should be scoped to a valid region, not '{credentials.region}': "
                f"'{self.region}' is served here."
            )
        _check_headers(head, credentials)
        announced = head.headers.get(_BODY_SHA256)
        if announced is not None and not _SHA256.fullmatch(announced):
            raise _not_the_bodys(announced)

    def _check_date(self, head: RequestHead, credentials: Credentials) -> None:
        text = head.headers.get("x-amz-date", "")
        signed = _read_date(text)
        if text[:8] != credentials.date:
            raise InvalidSignatureError(
                f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                f"from HTTP: '{credentials.date}' != '{text[:8]}', from '{text}'."
            )
        now = self.clock()
        if signed < now - SKEW:
            raise InvalidSignatureError(
                f"Signature expired: {text} is now earlier than "
                f"{now - SKEW:{_DATE_FORMAT}} ({now:{_DATE_FORMAT}} - 5 min.)"
            )
        if signed > now + SKEW:
            raise InvalidSignatureError(
                f"Signature not yet current: {text} is still later than "
                f"{now + SKEW:{_DATE_FORMAT}} ({now:{_DATE_FORMAT}} + 5 min.)"
            )


@functools.lru_cache(maxsize=64)
def _read_date(text: str) -> datetime:
    """Read a date, as many requests of one second have it."""
    try:
        return datetime.strptime(text, _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise IncompleteSignatureError(
            f"x-amz-date {text[:40]!r} is no date like 20260101T000000Z"
        ) from error


def _verify(head: RequestHead, credentials: Credentials, key: AccessKey, body: Hashed) -> Caller:
    """Compare the body with what was announced, or else with the signature."""
    announced = head.headers.get(_BODY_SHA256)
    if announced is None:
        _check_signature(head, credentials, body.sha256, key.secret)
    elif announced != body.sha256:
        raise _not_the_bodys(announced)
    principal = f"function/{key.function}" if key.function else key.id
    return Caller(key.account, key.namespace, principal, key.function, key.policy)


def _not_the_bodys(announced: str) -> InvalidSignatureError:
    return InvalidSignatureError(
        _UNSAFE.format(why=f"{_BODY_SHA256} is {announced[:80]!r}, not the body's.")
    )


def _check_signature(
    head: RequestHead, credentials: Credentials, body_sha256: str, secret: str
) -> None:
    wanted = signature_of(head, credentials, body_sha256, secret)
    if not hmac.compare_digest(wanted.encode(), _bytes(credentials.signature)):
        raise InvalidSignatureError(
            _UNSAFE.format(
                why="Check your AWS Secret Access Key and signing method. "
                "Consult the service documentation for details."
            )
        )


def signature_of(head: RequestHead, credentials: Credentials, body_sha256: str, secret: str) -> str:
    """Return the signature that a request must carry."""
    canonical = _canonical_request(head, credentials, body_sha256)
    to_sign = "\n".join(
        (
            ALGORITHM,
            head.headers.get("x-amz-date", ""),
            credentials.scope,
            hashlib.sha256(_bytes(canonical)).hexdigest(),
        )
    )
    key = _signing_key(secret, credentials.date, credentials.region, credentials.service)
    return hmac.digest(key, _bytes(to_sign), "sha256").hex()


@functools.lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, _bytes(part), "sha256")
    return key


def _canonical_request(head: RequestHead, credentials: Credentials, body_sha256: str) -> str:
    headers = "".join(
        f"{name}:{_trimmed(head.headers.get(name, ''))}\n" for name in credentials.signed_headers
    )
    return "\n".join(
        (
            head.method,
            _encode_path(head.path),
            _canonical_query(head.raw_query),
            headers,
            ";".join(credentials.signed_headers),
            body_sha256,
        )
    )


def _encode_path(path: str) -> str:
    return path if _UNRESERVED.fullmatch(path) else quote(_bytes(path), safe="/~")


def _trimmed(value: str) -> str:
    """Fold ASCII's white space alone, as clients do."""
    if "  " in value or "\t" in value:
        value = _SPACES.sub(" ", value)
    return value.strip(" ")


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = []
    for item in query.split("&"):
        name, _, value = item.partition("=")
        pairs.append((_encode(name), _encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(_bytes(text.replace("+", " "))), safe="-_.~")


def _bytes(text: str) -> bytes:
    """Return what was sent, which need not have been text."""
    return text.encode(errors="surrogateescape")


def _check_headers(head: RequestHead, credentials: Credentials) -> None:
    signed = set(credentials.signed_headers)
    names = [name.lower() for name in head.headers]
    needed = {"host", "x-amz-date", *(name for name in names if name.startswith("x-amz-"))}
    if missing := sorted(needed - signed):
        raise InvalidSignatureError(
            _UNSAFE.format(why=f"These headers must be signed: {', '.join(missing)}.")
        )
    if repeated := sorted(head.repeated & (signed | {"authorization"})):
        raise InvalidSignatureError(
            _UNSAFE.format(why=f"These headers are repeated: {', '.join(repeated)}.")
        )
    if list(credentials.signed_headers) != sorted(signed):
        raise InvalidSignatureError(_UNSAFE.format(why="SignedHeaders are not sorted."))
