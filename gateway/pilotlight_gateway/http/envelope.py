"""What a function answers, read as a response: `{"statusCode": …, "headers": …, "body": …}`.

Shared by the payload formats, which differ in what else an envelope may hold. A malformed envelope
is a 502, as the services that it stands for answer it (`errors`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from .errors import HttpError
from .message import HttpResponse

__all__ = ["cookies", "is_envelope", "load", "read", "repeated_headers", "written"]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
_MALFORMED = 502
_RESERVED = frozenset({
    "connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    "x-amzn-requestid",
})  # fmt: skip
"""Headers that are the gateway's, as the connection is."""


def load(answer: bytes) -> Any:
    """Parse a function's answer."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise HttpError(_MALFORMED) from error


def written(document: Any) -> str:
    """Write JSON without added spaces, as Lambda hands it on."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as error:
        raise HttpError(_MALFORMED) from error


def is_envelope(document: object) -> bool:
    """Say whether an answer means to be an envelope."""
    return isinstance(document, dict) and "statusCode" in document


def read(document: Any) -> HttpResponse:
    """Read status, headers and body of an envelope; raises HttpError where it is malformed."""
    if not is_envelope(document):
        raise HttpError(_MALFORMED)
    headers = [pair for name, value in _mapping(document, "headers") for pair in _pair(name, value)]
    return HttpResponse(_status(document["statusCode"]), headers, _body(document))


def repeated_headers(document: Any) -> list[tuple[str, str]]:
    """Read `multiValueHeaders`."""
    pairs: list[tuple[str, str]] = []
    for name, values in _mapping(document, "multiValueHeaders"):
        if not isinstance(values, list):
            raise HttpError(_MALFORMED)
        pairs += [pair for value in values for pair in _pair(name, value)]
    return pairs


def cookies(document: Any) -> list[tuple[str, str]]:
    """Read `cookies` as the headers that they are."""
    values = document.get("cookies") or []
    if not isinstance(values, list):
        raise HttpError(_MALFORMED)
    return [pair for value in values for pair in _pair("Set-Cookie", value)]


def _status(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:  # noqa: PLR2004  as below
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:  # noqa: PLR2004  final statuses of HTTP
        raise HttpError(_MALFORMED)
    return value


def _mapping(document: Any, name: str) -> list[tuple[str, Any]]:
    mapping = document.get(name)
    if mapping is None:
        return []
    if not isinstance(mapping, dict):
        raise HttpError(_MALFORMED)
    return list(mapping.items())


def _pair(name: str, value: Any) -> list[tuple[str, str]]:
    """Return a header; none where the function may not set it, or set it to nothing."""
    if value is None or name.lower() in _RESERVED:
        return []
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str) or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise HttpError(_MALFORMED)
    return [(name, value)]


def _body(document: Any) -> bytes:
    body = document.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise HttpError(_MALFORMED)
    try:
        if not document.get("isBase64Encoded"):
            return body.encode()
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise HttpError(_MALFORMED) from error
