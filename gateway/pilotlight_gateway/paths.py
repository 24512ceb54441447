"""One normalised path for a request: routing and authorisation must never see two.

What could mean two paths is refused rather than resolved. Lambda's paths have neither dot segments
nor empty ones (`normalise`). Those of functions are theirs but for dot segments (`split_target`);
where routes are told apart by them, `plain` is what a function may read (`http.sites`).
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from .errors import ValidationError

__all__ = ["normalise", "plain", "split_target"]

_PLAIN = re.compile(r"(?:/(?!\.)[A-Za-z0-9_.:$-]+)+")
"""A path that needs no second look, as nearly all are."""
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9_.:$=&-]*")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What no name has and no store keeps; bytes that are no UTF-8 come as surrogates."""


def normalise(target: str, host: str) -> tuple[str, str]:
    """Return the raw path and the raw query of a request to a service; raises ValidationError."""
    path, query = split_target(target, host)
    if _PLAIN.fullmatch(path) and _PLAIN_QUERY.fullmatch(query):
        return path, query
    if any(not segment for segment in path.split("/")[1:-1]):
        raise ValidationError(f"the path {path!r} holds an empty segment")
    if _NO_TEXT.search(unquote(f"{path}?{query}")):
        raise ValidationError("the request target holds a control character, or what is no UTF-8")
    return path, query


def split_target(target: str, host: str) -> tuple[str, str]:
    """Return the raw path and the raw query of a request target, in either of HTTP's forms.

    Raises ValidationError where it has dot segments, encoded or not, or is for another host.
    """
    if "#" in target:
        raise ValidationError("the request target holds a fragment")
    if not target.startswith("/"):
        target = _origin_form(target, host)
    path, _, query = target.partition("?")
    if _PLAIN.fullmatch(path):
        return path, query
    if not {".", ".."}.isdisjoint(unquote(path).split("/")):
        raise ValidationError(f"the path {path!r} holds a dot segment")
    return path, query


def plain(path: str) -> str:
    """Return a raw path as a function may read it: decoded, no slash twice and none at its end."""
    return re.sub("/+", "/", unquote(path)).rstrip("/") or "/"


def _origin_form(target: str, host: str) -> str:
    try:
        parts = urlsplit(target)
    except ValueError as error:
        raise ValidationError(f"the request target {target[:200]!r} is no address") from error
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() != host.lower():
        raise ValidationError(
            f"the request target {target[:200]!r} is neither a path nor an address of {host!r}"
        )
    query = f"?{parts.query}" if parts.query else ""
    return (parts.path or "/") + query
