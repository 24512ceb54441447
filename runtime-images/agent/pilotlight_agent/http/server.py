"""One HTTP connection of the agent: requests in, answers out, in order.

The agent's hop is paid by every invocation, so there is no framework, no task and no object per
header here: a request is parsed, handed to `serve`, and answered with one write. `gateway_api` and
`runtime_api` say what is served.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import cast

from pilotlight_agent.errors import BadRequestError
from pilotlight_wire.protocol import Error

from .request import Request, RequestReader, Sink

_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_PIPELINE_LIMIT = 1_048_576
_INCOMPLETE_SECONDS = 30.0
# Asking the system for as much memory at every read would cost more than the read.
_INPUT = bytearray(65_536)
_INPUT_VIEW = memoryview(_INPUT)

Serve = Callable[[Request, "Connection"], None]
OpenSink = Callable[["Connection", Request], Sink | None]


class Connection(asyncio.BufferedProtocol):
    """Reads requests, gives each to `serve`, which answers once with `respond` or `stream`.

    `limit` is the largest request body in bytes. `on_truncated` hears of a request whose body
    ended too early. `open_sink` gives chunks of a body to whoever wants them as they come. While
    one request is served, the next ones wait in the buffer.
    """

    def __init__(
        self,
        serve: Serve,
        limit: int,
        on_truncated: Callable[[Request], bytes] | None = None,
        open_sink: OpenSink | None = None,
    ) -> None:
        self._serve = serve
        self._on_truncated = on_truncated
        self._reader = RequestReader(limit, open_sink and partial(open_sink, self))
        self._busy = False
        self._keep_alive = True
        self._patience: asyncio.TimerHandle | None = None
        self._on_writable: Callable[[], None] | None = None
        self._on_lost: Callable[[], None] | None = None
        self.writable = True
        self.half_closed = False
        """Whether the client has said all that it will; most have gone then."""
        self.transport: asyncio.Transport

    @property
    def closed(self) -> bool:
        """Whether an answer would reach nobody."""
        return self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio has set TCP_NODELAY on it."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Forget the client; what it asked for goes on."""
        self._stop_patience()
        if self._on_lost is not None:
            self._on_lost()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 -- asyncio's signature
        """Offer the place where all connections are read, one after the other."""
        return _INPUT

    def buffer_updated(self, nbytes: int) -> None:
        """Parse, and serve what is whole."""
        self._reader.feed(_INPUT_VIEW[:nbytes])
        if not self._busy:
            self._advance()
        elif self._reader.buffered > _PIPELINE_LIMIT:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Stay half open while an answer is due; tell of a body that was cut off."""
        self.half_closed = True
        incomplete = self._reader.incomplete
        if incomplete is not None and self._on_truncated is not None:
            self._keep_alive = False
            self.transport.write(self._on_truncated(incomplete))
            return False
        self._keep_alive = False
        return self._busy

    def pause_writing(self) -> None:
        """Note that the client reads more slowly than it is written to."""
        self.writable = False

    def resume_writing(self) -> None:
        """Go on with a stream."""
        self.writable = True
        if self._on_writable is not None:
            self._on_writable()

    def pause_reading(self) -> None:
        """Read no more of a body that comes faster than it is taken."""
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        self.transport.resume_reading()

    def respond(
        self, status: int, body: bytes, headers: bytes = b"Content-Type: application/json\r\n"
    ) -> None:
        """Answer the current request; `headers` are whole header lines."""
        close = b"" if self._keep_alive else b"Connection: close\r\n"
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        self.transport.write(b"".join((_STATUS_LINES[status], headers, close, length, body)))
        self._finish()

    def respond_json(self, status: int, document: Mapping[str, object]) -> None:
        """Answer the current request with a JSON document."""
        self.respond(status, json.dumps(document).encode())

    def stream(
        self, content_type: str, on_writable: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        """Begin an answer in chunks: `send_chunk` goes on, `end_stream` ends it, if anything."""
        self._on_writable, self._on_lost = on_writable, on_lost
        head = f"Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.transport.write(_STATUS_LINES[200] + head.encode("latin-1"))

    def send_chunk(self, data: bytes) -> None:
        """Send one chunk of a stream."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self, trailers: bytes) -> None:
        """End an answer in chunks; `trailers` are whole lines."""
        self._on_writable = self._on_lost = None
        self.transport.write(b"0\r\n%b\r\n" % trailers)
        self._finish()

    def _advance(self) -> None:
        """Serve requests until one stays open or no whole one is left."""
        try:
            while not self._busy and (request := self._reader.take()) is not None:
                if self._patience is not None:
                    self._stop_patience()
                self._busy = True
                self._keep_alive = self._keep_alive and request.keep_alive
                self._serve(request, self)
        except BadRequestError as error:
            self._refuse(error)
            return
        if not self._busy:
            self._await_rest()

    def _await_rest(self) -> None:
        """Allow a half-sent request a while, and the go-ahead that it may have asked for.

        What is streamed may take as long as the function may.
        """
        request = self._reader.incomplete
        if request is not None and request.headers.pop(b"expect", b"").lower() == b"100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request is not None and request.streamed:
            self._stop_patience()
        elif self._patience is None and (request is not None or self._reader.buffered):
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(_INCOMPLETE_SECONDS, self.transport.abort)

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _finish(self) -> None:
        self._busy = False
        if not self._keep_alive:
            self.transport.close()
            return
        if self._reader.buffered:
            self.transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._advance_if_free)

    def _advance_if_free(self) -> None:
        if not self._busy and not self.closed:
            self._advance()

    def _refuse(self, error: BadRequestError) -> None:
        self._keep_alive = False
        self.respond_json(error.status, Error.MALFORMED_REQUEST.document(str(error)))
