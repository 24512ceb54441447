"""A client of the gateway: signed requests over the standard library, errors as failures.

Blocking, since a command does one thing at a time; `functions` and `platform` say what is asked.
"""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from pilotlight.signing import Signer

from .failures import NOT_FOUND, PLATFORM, TIMED_OUT, USAGE, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .connection import Connection

__all__ = ["ApiError", "Client", "Response", "Streamed"]

BAD_REQUEST, MISSING, OK_BELOW = 400, 404, 300
SECONDS = 60.0
PIECE = 1 << 16
"""Bytes of an answer that are handed on at once, at most."""


class ApiError(Failure):
    """The gateway refused; `code` is Lambda's error type or core's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        exits = {BAD_REQUEST: USAGE, MISSING: NOT_FOUND}
        super().__init__(f"{code}: {message}", exits.get(status, PLATFORM))
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Streamed:
    """A good answer that is still coming."""

    headers: http.client.HTTPMessage
    pieces: Iterator[bytes]


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
        with self._asked(method, path, query, body, headers, seconds) as asked:
            response = asked.whole()
        if response.status < OK_BELOW:
            return response
        raise _refusal(response)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, str | int | float | None] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> Iterator[Streamed]:
        """Post a request, and have its answer's body in pieces as they come; raises as `request`.

        `seconds` is for each piece.
        """
        with self._asked("POST", path, query, body, headers, seconds) as asked:
            if asked.answer.status >= OK_BELOW:
                raise _refusal(asked.whole())
            yield Streamed(asked.answer.headers, asked.pieces())

    def request_json(
        self, method: str, path: str, document: object = None, **query: str | float | None
    ) -> Any:
        """Send a document, if any, and parse the answer's."""
        body = b"" if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json"}
        response = self.request(method, path, query=query, body=body, headers=headers)
        return response.json() if response.body else None

    @contextmanager
    def _asked(  # noqa: PLR0913, PLR0917  as of `request`
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int | float | None] | None,
        body: bytes,
        headers: Mapping[str, str] | None,
        seconds: float,
    ) -> Iterator[_Asked]:
        target = quote(path, safe="/$~")
        if given := {name: value for name, value in (query or {}).items() if value is not None}:
            target += f"?{urlencode(given, quote_via=quote)}"
        signed = self._signer.sign(method, self.connection.endpoint + target, body, headers)
        connection = _connect(self.connection.endpoint, seconds)
        asked = f"{method} {target}", self.connection.endpoint, seconds
        try:
            with _telling(*asked):
                connection.request(method, target, body, signed)
                answer = connection.getresponse()
            yield _Asked(answer, *asked)
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class _Asked:
    """An answer whose body is still to be read."""

    answer: http.client.HTTPResponse
    what: str
    endpoint: str
    seconds: float

    def whole(self) -> Response:
        """Read it to its end."""
        with _telling(self.what, self.endpoint, self.seconds):
            return Response(self.answer.status, self.answer.headers, self.answer.read())

    def pieces(self) -> Iterator[bytes]:
        """Read it as it comes."""
        while True:
            with _telling(self.what, self.endpoint, self.seconds):
                piece = self.answer.read1(PIECE)
            if not piece:
                return
            yield piece


@contextmanager
def _telling(what: str, endpoint: str, seconds: float) -> Iterator[None]:
    """Say in a Failure why nothing comes from an endpoint."""
    try:
        yield
    except TimeoutError as error:
        raise Failure(f"no answer to {what} in {seconds:g} s", TIMED_OUT) from error
    except http.client.IncompleteRead as error:
        raise Failure(f"the answer to {what} broke off") from error
    except (OSError, http.client.HTTPException) as error:
        raise Failure(
            f"no Pilotlight answers at {endpoint} ({error}); "
            "start one with `pilotlight dev`, or give --endpoint"
        ) from error


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
