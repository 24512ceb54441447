"""One normalised path for a request: routing and authorisation must never see two.

Lambda's paths have neither dot segments nor empty ones, so they are refused rather than resolved;
an absolute-form target must name the host that the Host header names.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from .errors import ValidationError

__all__ = ["normalise"]

_PLAIN = re.compile(r"(?:/(?!\.)[A-Za-z0-9_.:$-]+)+")
"""A path that needs no second look, as nearly all are."""


def normalise(target: str, host: str | None) -> tuple[str, str]:
    """Return the raw path and the raw query of a request target; raises ValidationError."""
    if not target.startswith("/"):
        target = _origin_form(target, host)
    path, _, query = target.partition("?")
    if _PLAIN.fullmatch(path):
        return path, query
    segments = path.split("/")[1:]
    if any(unquote(segment) in {".", ".."} for segment in segments):
        raise ValidationError(f"the path {path!r} holds a dot segment")
    if any(not segment for segment in segments[:-1]):
        raise ValidationError(f"the path {path!r} holds an empty segment")
    if any(character < " " or character == "\x7f" for character in unquote(path)):
        raise ValidationError("the path holds a control character")
    return path, query


def _origin_form(target: str, host: str | None) -> str:
    parts = urlsplit(target)
    if parts.scheme not in {"http", "https"} or parts.netloc != host:
        raise ValidationError(
            f"the request target {target[:200]!r} is neither a path nor an address of {host!r}"
        )
    query = f"?{parts.query}" if parts.query else ""
    return (parts.path or "/") + query
