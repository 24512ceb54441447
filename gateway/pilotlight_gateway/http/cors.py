"""Cross-origin rules: the answer to a preflight, and the headers that let a page read a response.

Pure; a site without rules leaves all of this to its function (AWS Lambda Developer Guide,
"Cross-origin resource sharing"; WHATWG Fetch, "CORS protocol").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .message import HttpResponse

if TYPE_CHECKING:
    from pilotlight.resources import Cors

    from .message import HttpRequest

__all__ = ["add_headers", "answer_preflight", "is_preflight"]

_PREFIX = "access-control-"
Headers = list[tuple[str, str]]


def is_preflight(request: HttpRequest) -> bool:
    """Say whether a browser asks what a page may do."""
    return (
        request.method == "OPTIONS"
        and bool(request.header("origin"))
        and bool(request.header("access-control-request-method"))
    )


def answer_preflight(cors: Cors, request: HttpRequest) -> HttpResponse:
    """Say what a page of the request's origin may do; nothing of it where the origin may not."""
    headers = _origin_headers(cors, request)
    if headers:
        headers += _preflight_headers(cors)
    return HttpResponse(204, [*headers, ("Vary", "Origin")])


def add_headers(cors: Cors, request: HttpRequest, response: HttpResponse) -> None:
    """Put the rules' headers into a response; a function's own ones give way."""
    own = [pair for pair in response.headers if not pair[0].lower().startswith(_PREFIX)]
    headers = _origin_headers(cors, request)
    if headers and cors.expose_headers:
        headers.append(("Access-Control-Expose-Headers", ",".join(cors.expose_headers)))
    response.headers = [*own, *headers, ("Vary", "Origin")]


def _origin_headers(cors: Cors, request: HttpRequest) -> Headers:
    origin = request.header("origin")
    if not origin or not _allows(cors, origin):
        return []
    said = "*" if "*" in cors.allow_origins else origin
    headers = [("Access-Control-Allow-Origin", said)]
    if cors.allow_credentials:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return headers


def _allows(cors: Cors, origin: str) -> bool:
    scheme = origin.partition("://")[0]
    return bool({"*", f"{scheme}://*", origin} & set(cors.allow_origins))


def _preflight_headers(cors: Cors) -> Headers:
    headers = []
    if cors.allow_methods:
        headers.append(("Access-Control-Allow-Methods", ",".join(cors.allow_methods)))
    if cors.allow_headers:
        headers.append(("Access-Control-Allow-Headers", ",".join(cors.allow_headers)))
    if cors.max_age is not None:
        headers.append(("Access-Control-Max-Age", str(cors.max_age)))
    return headers
