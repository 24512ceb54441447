"""HTTP/1.1 requests out of bytes: the agent's one parser, strict and free of I/O.

Both servers of the agent stand on it, the one for gateways and the Runtime API, and both listen
where hostile code can reach them; so whatever two parsers could read in two ways is refused: a
length beside chunks, a bare line feed, a folded header, a second Host. `server.Connection` feeds
it from a socket.
"""

import re
from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

from pilotlight_agent.errors import BadRequestError
from pilotlight_wire.protocol import STREAM_LIMIT

HEAD_LIMIT = 65_536
_REMEMBERED = 4_096  # bytes of a head, on each connection and for as long as it stays
_CHUNK_LINE_LIMIT = 256
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELDS = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*"
_HEAD = re.compile(rb"(" + _TOKEN + rb") (/[\x21-\x7e]*) HTTP/1\.([01])\r\n(" + _FIELDS + rb")\r\n")
_TRAILERS = re.compile(rb"(" + _FIELDS + rb")\r\n")
_FIELD = re.compile(rb"([^:\r]+):[\t ]*([^\r]*)\r\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e]*)?\r\n")
_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"authorization"})

Sink = Callable[[bytes], None]
"""Takes a body's bytes as they come."""


class Body(Protocol):
    """Takes a request's body out of a buffer, as it comes."""

    content: bytes | bytearray
    overflow: bool
    trailers: dict[bytes, bytes]

    def consume(self, buffer: bytearray) -> bool:
        """Take what belongs to the body; True once it is whole."""


class FixedBody:
    """A body of known length. What exceeds `limit` bytes is read and thrown away."""

    __slots__ = ("_left", "content", "overflow", "trailers")

    def __init__(self, length: int, limit: int) -> None:
        self._left = length
        self.content: bytes | bytearray = b""
        self.overflow = length > limit
        self.trailers: dict[bytes, bytes] = {}

    def consume(self, buffer: bytearray) -> bool:
        """Take up to the announced length."""
        part = bytes(buffer[: self._left])
        del buffer[: self._left]
        self._left -= len(part)
        if not self.overflow:
            self._keep(part)
        return self._left == 0

    def _keep(self, part: bytes) -> None:
        if not self.content:
            self.content = part if self._left == 0 else bytearray(part)
        else:
            self.content += part


class ChunkedBody:
    """A body in chunks, with trailers. What exceeds `limit` bytes is read and thrown away.

    A `sink` gets the bytes instead of `content`.
    """

    __slots__ = ("_last", "_left", "_limit", "_sink", "_size", "content", "overflow", "trailers")

    def __init__(self, limit: int, sink: Sink | None = None) -> None:
        self._limit = limit
        self._sink = sink
        self._size = 0
        self._left = 0  # of the current chunk, its closing line end included
        self._last = False
        self.content: bytes | bytearray = bytearray()
        self.overflow = False
        self.trailers: dict[bytes, bytes] = {}

    def consume(self, buffer: bytearray) -> bool:
        """Take whole chunk heads and whatever there is of chunk data."""
        while buffer:
            if self._last:
                return self._read_trailers(buffer)
            if not (self._read_data(buffer) if self._left else self._read_size(buffer)):
                return False
        return False

    def _read_size(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\n")
        if end < 0 and len(buffer) <= _CHUNK_LINE_LIMIT:
            return False
        match = _CHUNK_SIZE.fullmatch(buffer, 0, end + 1)
        if match is None or end >= _CHUNK_LINE_LIMIT:
            raise BadRequestError("malformed chunk size")
        size = int(match[1], 16)
        del buffer[: end + 1]
        self._left, self._last = (size + 2, False) if size else (0, True)
        return True

    def _read_data(self, buffer: bytearray) -> bool:
        data = bytes(buffer[: max(0, self._left - 2)])
        self._left -= len(data)
        del buffer[: len(data)]
        self._keep(data)
        return self._left > 2 or self._read_line_end(buffer)  # noqa: PLR2004 -- CR and LF

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            self.overflow = True
            self.content = b""
        elif self._sink is not None:
            self._sink(data)
        else:
            self.content += data

    def _read_line_end(self, buffer: bytearray) -> bool:
        if len(buffer) < self._left:
            return False
        if buffer[:2] != b"\r\n":
            raise BadRequestError("chunk data longer than its size")
        del buffer[:2]
        self._left = 0
        return True

    def _read_trailers(self, buffer: bytearray) -> bool:
        end = 0 if buffer.startswith(b"\r\n") else buffer.find(b"\r\n\r\n") + 2
        if end == 1 or len(buffer) < end + 2:
            if len(buffer) > HEAD_LIMIT:
                raise BadRequestError("trailers too large", 431)
            return False
        match = _TRAILERS.fullmatch(buffer, 0, end + 2)
        if match is None:
            raise BadRequestError("malformed trailers")
        self.trailers = _parse_fields(bytes(match[1]), {})
        del buffer[: end + 2]
        return True


class Request:
    """One request: `headers` and `trailers` by lower-case name, `body` whole.

    `overflow` says that the body was over the limit and is not there, `streamed` that it was given
    to a sink as it came.
    """

    __slots__ = (
        *("body", "headers", "keep_alive", "method", "overflow", "streamed", "target"),
        "trailers",
    )

    def __init__(
        self, method: bytes, target: bytes, headers: dict[bytes, bytes], *, keep_alive: bool
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = b""
        self.overflow = False
        self.streamed = False
        self.trailers: dict[bytes, bytes] = {}


OpenSink = Callable[[Request], Sink | None]
"""Says, of a request whose chunks are to come, who takes them as they do; None keeps them."""
Start = tuple[bytes, bytes, bytes, dict[bytes, bytes]]
"""What lines of a head say: method, target, minor digit of the version, headers as in Request."""


class HeadReader:
    """Reads the heads of one connection; lines with which all of them begin are read once.

    A gateway's heads differ in their last lines only: each is compared with the beginning that the
    two before it shared, and what that says is known.
    """

    __slots__ = ("_known", "_lines", "_start")

    def __init__(self) -> None:
        self._lines: list[bytes] = []  # of the last head that had to be read whole
        self._known = b""  # whole lines, beginning with the request line
        self._start: Start

    def read(self, head: bytes) -> Start:
        """Return what a whole head says; raises BadRequestError."""
        known = self._known
        if not known or not head.startswith(known):
            return self._read_whole(head)
        method, target, minor, headers = self._start
        rest = _TRAILERS.fullmatch(head, len(known))
        if rest is None:
            raise BadRequestError("malformed request head")
        return method, target, minor, _parse_fields(rest[1], headers.copy())

    def _read_whole(self, head: bytes) -> Start:
        """Read all lines, and know from now on those with which the last such head began, too."""
        self._known = b""
        match = _HEAD.fullmatch(head)
        if match is None:
            raise BadRequestError("malformed request head")
        method, target, minor, fields = match.groups()
        last, self._lines = self._lines, []
        if len(head) <= _REMEMBERED:
            self._lines = head[:-4].split(b"\r\n")
        both = takewhile(lambda two: two[0] == two[1], zip(self._lines, last, strict=False))
        if alike := [line + b"\r\n" for line, _ in both]:
            headers = _parse_fields(b"".join(alike[1:]), {})
            self._start, self._known = (method, target, minor, headers), b"".join(alike)
        return method, target, minor, _parse_fields(fields, {})


class RequestReader:
    """Turns a connection's bytes into requests; `limit` is the largest body in bytes.

    A body with a sink, which `open_sink` gives, may be as long as a stream.
    `feed` takes bytes, `take` gives the next whole request or None, and raises BadRequestError.
    """

    __slots__ = ("_body", "_buffer", "_heads", "_limit", "_open_sink", "incomplete")

    def __init__(self, limit: int, open_sink: OpenSink | None = None) -> None:
        self._buffer = bytearray()
        self._heads = HeadReader()
        self._limit = limit
        self._open_sink = open_sink
        self._body: Body
        self.incomplete: Request | None = None
        """The request whose head has come and whose body has not."""

    @property
    def buffered(self) -> int:
        """Bytes that wait to be read as a request."""
        return len(self._buffer)

    def feed(self, data: bytes | memoryview) -> None:
        """Append what the connection gave."""
        self._buffer += data

    def take(self) -> Request | None:
        """Return the next whole request, or None when more bytes are needed."""
        request, buffer = self.incomplete, self._buffer
        if request is None:
            request = self._read_head() if buffer else None
            if request is None:
                return None
            if (length := self._whole(request)) is not None:
                request.body = bytes(buffer[:length])
                del buffer[:length]
                return request
        return self._collect(request)

    def _whole(self, request: Request) -> int | None:
        """Return the length of a body that is there already, which most are; else expect one."""
        length = _fixed_length(request.headers)
        if length is None:
            self._body = self._chunked(request)
        elif length <= min(self._limit, len(self._buffer)):
            return length
        else:
            self._body = FixedBody(length, self._limit)
        return None

    def _chunked(self, request: Request) -> ChunkedBody:
        sink = None if self._open_sink is None else self._open_sink(request)
        if sink is None:
            return ChunkedBody(self._limit)
        request.streamed = True
        return ChunkedBody(STREAM_LIMIT, sink)

    def _collect(self, request: Request) -> Request | None:
        """Take what has come of the body; returns the request once it is whole."""
        body = self._body
        if not body.consume(self._buffer):
            self.incomplete = request
            return None
        self.incomplete = None
        request.body = bytes(body.content)
        request.overflow = body.overflow
        request.trailers = body.trailers
        return request

    def _read_head(self) -> Request | None:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n") + 4
        if end == 3 or end > HEAD_LIMIT:  # noqa: PLR2004 -- not found, and the four bytes of the end
            self._check_partial_head()
            return None
        head = bytes(buffer[:end])
        del buffer[:end]
        method, target, minor, headers = self._heads.read(head)
        if minor == b"0":
            if b"transfer-encoding" in headers:
                raise BadRequestError("ambiguous body framing")
            return Request(method, target, headers, keep_alive=False)
        if b"host" not in headers:
            raise BadRequestError("no Host header")
        keep_alive = b"connection" not in headers or headers[b"connection"].lower() != b"close"
        return Request(method, target, headers, keep_alive=keep_alive)

    def _check_partial_head(self) -> None:
        if len(self._buffer) > HEAD_LIMIT:
            raise BadRequestError("request head too large", 431)
        if b"\n" in self._buffer.replace(b"\r\n", b""):
            raise BadRequestError("bare line feed in the request head")


def _parse_fields(block: bytes, fields: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Add well-formed lines to `fields`."""
    for name, given in _FIELD.findall(block):
        key, value = name.lower(), given.rstrip(b" \t")
        if key in fields:
            if key in _ONCE:
                raise BadRequestError(f"repeated header {name.decode()}")
            value = fields[key] + b", " + value
        fields[key] = value
    return fields


def _fixed_length(headers: dict[bytes, bytes]) -> int | None:
    """Decide how the body ends, RFC 9112 section 6: by its length, or None by its chunks."""
    length = headers.get(b"content-length", b"0")
    if (coding := headers.get(b"transfer-encoding")) is not None:
        if b"content-length" in headers or coding.lower() != b"chunked":
            raise BadRequestError("ambiguous body framing")
        return None
    if not (length.isdigit() and len(length) <= 18):  # noqa: PLR2004 -- below 2**63
        raise BadRequestError("malformed Content-Length")
    return int(length)
