"""aiohttp's connections, guarded: how long clients may take, and what is no request at all.

aiohttp parses. It has no deadline for a request's head, so silent connections and half-sent heads
would stay open; here they do not, nor do those whose client reads nothing of an answer. Bodies have
deadlines of their own and stay as they came (`bodies`). What is no request is refused here, in the
gateway's words; what a request means, `pipeline` knows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web_request import BaseRequest

from . import connections
from .apis.protocols import error_in
from .bodies import CUT_OFF
from .connections import Connection, guard_writes
from .errors import (
    ApiError,
    HeadersTooLargeError,
    ServiceError,
    UriTooLongError,
    ValidationError,
)
from .identifiers import new_request_id
from .responses import whole

__all__ = ["GuardedConnection", "GuardedServer", "Handler"]

LINGER_SECONDS = 2.0
"""How long a client whose request was not read whole has to find its answer."""
FREELY_DISCARDED = 1 << 20
"""Bytes of a body that nobody wanted which are read at once."""
DISCARD_RATE = 8 << 20
"""Bytes a second that are read of a larger one: clients find their answer once they have sent."""
LONGEST_TARGET = 16 * 1024
LONGEST_HEADER = LONGEST_TARGET + 1
"""Name and value, in bytes. Another number, as aiohttp's error says the limit and not the part."""
MOST_HEADERS = 128

_HEAD_END = b"\r\n\r\n"
_HOST = re.compile(r"[A-Za-z0-9._~%-]*(?::\d*)?|\[[0-9A-Fa-f:.]+\](?::\d*)?")
"""RFC 3986, section 3.2.2, without what no name has in practice; empty in HTTP/1.0."""

log = structlog.get_logger()

Handler = Callable[[BaseRequest], Awaitable[web.StreamResponse]]


class GuardedConnection(Connection):
    """A connection that ends where a request's head takes too long, or where nobody reads."""

    __slots__ = (
        "_arriving", "_behind", "_between", "_head_seconds", "_head_timer", "_piece", "_request",
    )  # fmt: skip

    _head_seconds: float
    """In which the first head must have come."""
    _head_timer: asyncio.TimerHandle | None
    _request: BaseRequest | None
    _arriving: bool
    """Whether bytes of the next head came before a request was answered."""
    _behind: int
    """Bytes that came behind the head of a request, beside those in its piece."""
    _between: bool
    """Whether a request was answered and nothing has come that is no part of it."""
    _piece: bytes
    """What came with the end of a head, until its request begins."""

    def __init__(self, *given: Any, head_seconds: float, **options: Any) -> None:
        super().__init__(*given, **options)
        self._head_seconds = head_seconds

    @property
    def at_rest(self) -> bool:
        """Whether all that came is answered, so that the next byte begins a request."""
        return self._between and self._waiter is not None  # aiohttp's: it waits for a request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection."""
        self._head_timer, self._request, self._arriving, self._piece = None, None, False, b""
        self._behind, self._between = 0, False
        super().connection_made(transport)
        guard_writes(transport)
        self._arm(self._head_seconds)

    def data_received(self, data: bytes) -> None:
        """Note where requests begin and end, and have aiohttp parse."""
        if self._request is None:
            self._arm(connections.HEAD_SECONDS)
            self._note(data)
        else:
            self._behind += len(data)
            if data and self._request.content.is_eof():  # aiohttp calls this with nothing, too
                self._arriving = True
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give up what was awaited."""
        self._disarm()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request, or could not be answered; the connection ends."""
        del status, message  # the exception says more
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already") from exc
        return _refusal(_said(exc))

    def begin(self, request: BaseRequest) -> None:
        """Take note that a head is whole."""
        self._disarm()
        _, known, behind = self._piece.partition(_HEAD_END)
        self._behind += len(behind)
        chunked = "Transfer-Encoding" in request.headers  # whose end nobody here knows
        self._between = bool(known) and not chunked
        self._arriving = not chunked and self._behind > (request.content_length or 0)
        self._request, self._piece = request, b""

    def end(self, request: BaseRequest) -> None:
        """Take note that a request has been answered."""
        self._request = None
        self._between = self._between and self._behind == (request.content_length or 0)
        if request.method == "CONNECT" or "Upgrade" in request.headers:
            self.close()  # once the answer is out: aiohttp reads no HTTP behind either
        if self._arriving:
            self._arm(connections.HEAD_SECONDS)

    async def part(self, request: BaseRequest, response: web.StreamResponse) -> None:
        """Answer a client that still sends, and read little more of it, at nobody else's cost.

        The end of our side comes first: who is cut off in the middle of sending then finds the
        answer; a connection that is merely reset would be an error.
        """
        response.force_close()
        await response.prepare(request)
        await response.write_eof()
        if self.transport is not None:
            self.transport.write_eof()
            with suppress(TimeoutError, *CUT_OFF):
                async with asyncio.timeout(LINGER_SECONDS):
                    while piece := await request.content.readany():  # noqa: ASYNC110  a pace
                        await asyncio.sleep(len(piece) / DISCARD_RATE)
        self.force_close()

    def _note(self, data: bytes) -> None:
        """Keep what came with the end of the next head, and count what came behind it."""
        self._between = False
        if _HEAD_END in self._piece:
            self._behind += len(data)
        else:
            self._piece, self._behind = data, 0

    def _arm(self, seconds: float) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(seconds, self.force_close)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class GuardedServer(web.Server):
    """aiohttp's low-level server, its connections guarded."""

    def __init__(self, handler: Handler) -> None:
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": connections.KEEP_ALIVE_SECONDS,
            "lingering_time": LINGER_SECONDS,
            "max_field_size": LONGEST_HEADER,
            "max_headers": MOST_HEADERS,
            "max_line_size": LONGEST_TARGET,
        }
        super().__init__(_noting_heads(handler), **self._options)

    def __call__(self) -> GuardedConnection:
        """Make the protocol of a connection (aiohttp's factory)."""
        return self.connection(connections.HEAD_SECONDS)

    def connection(self, head_seconds: float) -> GuardedConnection:
        """Make the protocol of a connection whose first head must have come in so many seconds."""
        loop = asyncio.get_running_loop()
        return GuardedConnection(self, loop=loop, head_seconds=head_seconds, **self._options)


def _noting_heads(handler: Handler) -> Handler:
    async def handle(request: BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, GuardedConnection):  # the connection was lost meanwhile
            return await handler(request)
        connection.begin(request)
        try:
            _check(request)
            response = await handler(request)
            if not _is_read(request):
                await connection.part(request, response)
        except ValidationError as error:  # of the check: a handler answers for itself
            return _refusal(error)
        else:
            return response
        finally:
            connection.end(request)

    return handle


def _is_read(request: BaseRequest) -> bool:
    """Say whether a body was read, or is so small that aiohttp reads it in passing."""
    length = request.content_length
    return request.content.is_eof() or (length is not None and length <= FREELY_DISCARDED)


def _check(request: BaseRequest) -> None:
    """Refuse what aiohttp takes for a request and could be read in two ways."""
    if request.version < HttpVersion11 and "Transfer-Encoding" in request.headers:
        raise ValidationError("HTTP/1.0 has no Transfer-Encoding")
    if not _HOST.fullmatch(request.headers.get("Host", "")):
        raise ValidationError("the Host header is no host")


def _refusal(error: ApiError) -> web.Response:
    request_id = new_request_id()
    response = whole(error_in("rest-json", error, request_id), request_id)
    response.force_close()
    return response


def _said(error: BaseException | None) -> ApiError:
    """Say what aiohttp could not read, or what went wrong while an answer was written."""
    match error:
        case LineTooLong(args=(_, limit, *_)) if limit == LONGEST_TARGET:
            return UriTooLongError(f"the request target is longer than {LONGEST_TARGET} bytes")
        case LineTooLong():
            return HeadersTooLargeError(f"a header is longer than {LONGEST_TARGET} bytes")
        case BadHttpMessage(message=message) if message.startswith("Too many headers"):
            return HeadersTooLargeError(f"more than {MOST_HEADERS} headers came")
        case BadHttpMessage():
            return ValidationError("this is no HTTP/1.1 request")
        case _:
            log.error("request failed", exc_info=error)
            return ServiceError("Internal error")
