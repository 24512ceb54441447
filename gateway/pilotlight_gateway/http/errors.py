"""Refusals of the HTTP door, each said in the words of the service that it stands for.

Function URLs, API Gateway's two payload formats and a load balancer all say the same thing
differently (AWS Lambda Developer Guide, "Function URLs"; API Gateway and Elastic Load Balancing
guides).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from .message import HttpResponse

if TYPE_CHECKING:
    from .site import Style

__all__ = ["HttpError", "say", "unknown_url"]

_FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
_GATEWAY = {502: "Internal Server Error", 413: "Request Too Long"}
_REST = {502: "Internal server error", 413: "Request Too Long"}


class HttpError(Exception):
    """A request that is answered without its function, or whose function gave no answer."""

    def __init__(
        self, status: int, detail: str = "", *, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(detail or HTTPStatus(status).phrase)
        self.status = status
        self.detail = detail
        """For the client; empty where the status says all."""
        self.headers = headers


def say(error: HttpError, style: Style) -> HttpResponse:
    """Say an error in a style's words."""
    match style:
        case "url":
            kind, body = _url(error)
        case "alb":
            kind, body = "text/html", _page(error.status)
        case "1.0":
            kind, body = "application/json", _document("message", error, _REST)
        case _:
            kind, body = "application/json", _document("message", error, _GATEWAY)
    return HttpResponse(error.status, [("Content-Type", kind), *error.headers], body)


def unknown_url() -> HttpResponse:
    """Answer for a function URL that there is not: as if it were there and forbidden."""
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", "AccessDeniedException")]
    return HttpResponse(403, headers, b'{"Message":null}')


def _url(error: HttpError) -> tuple[str, bytes]:
    if error.status == HTTPStatus.BAD_GATEWAY:
        return "text/plain", b"Internal Server Error"
    if error.status == HTTPStatus.FORBIDDEN:
        return "application/json", _json({"Message": _FORBIDDEN})
    return "application/json", _document("Message", error, _GATEWAY)


def _document(key: str, error: HttpError, words: dict[int, str]) -> bytes:
    status = error.status
    return _json({key: error.detail or words.get(status) or HTTPStatus(status).phrase})


def _page(status: int) -> bytes:
    title = f"{status} {HTTPStatus(status).phrase}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        "</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


def _json(document: dict[str, str]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
