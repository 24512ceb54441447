"""Plain HTTP requests to a gateway in a test, with any Host header and any raw target."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Response", "fetch"]


@dataclass(frozen=True, slots=True)
class Response:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's first value."""
        values = self.all_of(name)
        return values[0] if values else None

    def all_of(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)


def fetch(
    port: int,
    target: str,
    *,
    method: str = "GET",
    host: str | None = None,
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
    body: bytes = b"",
) -> Response:
    """Send one request to this machine; `headers` as pairs may repeat a name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    with closing(connection):
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        for name, value in pairs:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return Response(answer.status, answer.getheaders(), answer.read())
