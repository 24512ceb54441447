"""Listeners, and how long a connection may take: HTTP in, requests out to a handler.

aiohttp parses. It has no deadline for a request's head, so silent connections and half-sent heads
would stay open; here they do not, nor do those whose client reads nothing of an answer. Bodies have
deadlines of their own and stay as they came (`bodies`). What is no request is refused here, in the
gateway's words; what a request means, `pipeline` knows.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web_request import BaseRequest

from .apis.protocols import error_in
from .bodies import CUT_OFF
from .connections import Connection
from .errors import (
    ApiError,
    HeadersTooLargeError,
    ServiceError,
    UriTooLongError,
    ValidationError,
)
from .identifiers import new_request_id
from .responses import whole

if TYPE_CHECKING:
    from asyncio import AbstractServer

__all__ = ["Handler", "Server"]

HEAD_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 75.0
READ_SECONDS = 60.0
"""How long a client may read nothing of what waits for it."""
BACKLOG = 1024
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


class Server:
    """The listeners of one process."""

    def __init__(self) -> None:
        self._open: list[tuple[AbstractServer, web.Server]] = []

    async def listen(
        self, handler: Handler, host: str, port: int, *, bound: socket.socket | None = None
    ) -> int:
        """Have requests to a port answered by a handler; returns the port, which 0 lets be chosen.

        A socket that is `bound` already is taken as it is. Raises OSError where the port is in use.
        """
        requests = _GuardedServer(
            handler,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_field_size=LONGEST_HEADER,
            max_headers=MOST_HEADERS,
            max_line_size=LONGEST_TARGET,
        )
        loop = asyncio.get_running_loop()
        address = {"host": host, "port": port} if bound is None else {"sock": bound}
        listener = await loop.create_server(requests, backlog=BACKLOG, **address)
        self._open.append((listener, requests))
        return int(listener.sockets[0].getsockname()[1])

    async def close(self, *, drain_seconds: float) -> None:
        """Accept nothing more, let running requests end for so long, then close connections."""
        for listener, requests in self._open:
            listener.close()
            await asyncio.sleep(0)  # what has been read by now begins, and so is waited for
            requests.pre_shutdown()
            await requests.shutdown(drain_seconds)
        self._open.clear()


class _GuardedConnection(Connection):
    """A connection that ends where a request's head takes too long, or where nobody reads."""

    __slots__ = ("_arriving", "_head_timer", "_piece", "_request")

    _head_timer: asyncio.TimerHandle | None
    _request: BaseRequest | None
    _arriving: bool
    """Whether bytes of the next head came before a request was answered."""
    _piece: bytes
    """What came with the end of a head, until its request begins."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._head_timer, self._request, self._arriving, self._piece = None, None, False, b""
        super().connection_made(transport)
        # The kernel looks: also once everything has been handed to it, and after a `close`.
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000)
        )
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._request is None:
            self._arm()
            self._piece = self._piece if _HEAD_END in self._piece else data
        elif data and self._request.content.is_eof():  # aiohttp calls this with nothing, too
            self._arriving = True
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
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
        _, _, behind = self._piece.partition(_HEAD_END)
        chunked = "Transfer-Encoding" in request.headers  # whose end nobody here knows
        self._arriving = not chunked and len(behind) > (request.content_length or 0)
        self._request, self._piece = request, b""

    def end(self, request: BaseRequest) -> None:
        """Take note that a request has been answered."""
        self._request = None
        if request.method == "CONNECT" or "Upgrade" in request.headers:
            self.close()  # once the answer is out: aiohttp reads no HTTP behind either
        if self._arriving:
            self._arm()

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

    def _arm(self) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(HEAD_SECONDS, self.force_close)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _GuardedServer(web.Server):
    """aiohttp's low-level server, its connections guarded."""

    def __init__(self, handler: Handler, **options: Any) -> None:
        super().__init__(_noting_heads(handler), **options)
        self._options = options

    def __call__(self) -> Connection:
        """Make the protocol of a connection (aiohttp's factory)."""
        return _GuardedConnection(self, loop=asyncio.get_running_loop(), **self._options)


def _noting_heads(handler: Handler) -> Handler:
    async def handle(request: BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, _GuardedConnection):  # the connection was lost meanwhile
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
