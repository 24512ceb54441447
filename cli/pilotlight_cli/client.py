"""A client of the gateway: signed requests over the standard library, errors as failures.

Blocking, since a command does one thing at a time; `functions` and `platform` say what is asked.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from pilotlight.signing import Signer

from .failures import NOT_FOUND, PLATFORM, TIMED_OUT, USAGE, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .connection import Connection

__all__ = ["ApiError", "Client", "Response"]

BAD_REQUEST, MISSING, OK_BELOW = 400, 404, 300
SECONDS = 60.0


class ApiError(Failure):
    """The gateway refused; `code` is Lambda's error type or core's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        exits = {BAD_REQUEST: USAGE, MISSING: NOT_FOUND}
        super().__init__(f"{code}: {message}", exits.get(status, PLATFORM))
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Response:
    """A good answer; header names are case-insensitive."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)


class Client:
    """Asks one gateway."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._signer = Signer(connection.credentials, connection.region)

    def request(  # noqa: PLR0913  a request has that many parts, all but two by name
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | float | None] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> Response:
        """Send a request whose path is not encoded yet.

        Raises ApiError, or a Failure where nobody answers (4) or not in time (5).
        """
        target = quote(path, safe="/$~")
        if given := {name: value for name, value in (query or {}).items() if value is not None}:
            target += f"?{urlencode(given, quote_via=quote)}"
        signed = self._signer.sign(method, self.connection.endpoint + target, body, headers)
        return self._send(method, target, body, signed, seconds)

    def request_json(
        self, method: str, path: str, document: object = None, **query: str | float | None
    ) -> Any:
        """Send a document, if any, and parse the answer's."""
        body = b"" if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json"}
        response = self.request(method, path, query=query, body=body, headers=headers)
        return response.json() if response.body else None

    def _send(
        self, method: str, target: str, body: bytes, headers: dict[str, str], seconds: float
    ) -> Response:
        connection = _connect(self.connection.endpoint, seconds)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            response = Response(answer.status, answer.headers, answer.read())
        except TimeoutError as error:
            raise Failure(f"no answer to {method} {target} in {seconds:g} s", TIMED_OUT) from error
        except (OSError, http.client.HTTPException) as error:
            raise Failure(
                f"no Pilotlight answers at {self.connection.endpoint} ({error}); "
                "start one with `pilotlight dev`, or give --endpoint"
            ) from error
        finally:
            connection.close()
        if response.status < OK_BELOW:
            return response
        raise _refusal(response)


def _connect(endpoint: str, seconds: float) -> http.client.HTTPConnection:
    parts = urlsplit(endpoint)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.netloc, timeout=seconds)
    return http.client.HTTPConnection(parts.netloc, timeout=seconds)


def _refusal(response: Response) -> ApiError:
    try:
        body = response.json()
    except ValueError:
        body = None
    fields = body if isinstance(body, dict) else {}
    code = response.headers.get("x-amzn-ErrorType") or fields.get("code") or "HTTP"
    text = fields.get("message") or fields.get("Message") or f"status {response.status}"
    field = f"{fields['field']}: " if fields.get("field") else ""
    return ApiError(response.status, code, field + text)
