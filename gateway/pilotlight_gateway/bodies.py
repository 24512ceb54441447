"""Reads request bodies within limits, deadlines and one budget of bytes for all of them.

Whoever calls has judged the head by then. A body is read as it came: that is what clients sign and
what functions behind HTTP get. SDKs compress what they send to services, whose operations get it
decompressed, within the same limit and budget.

aiohttp itself waits for ever for a slow body: a deadline between two pieces and one for the whole
are kept here; the one for the head is in `server`. What came along with its head costs nothing
more, so that small bodies never wait for large ones.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from pilotlight.budget import ByteBudget, ByteShare

from .errors import (
    RequestTimeoutError,
    ServiceUnavailableError,
    UnsupportedMediaTypeError,
    ValidationError,
)
from .plain_request import PlainRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web_request import BaseRequest

    from .errors import TooLarge

__all__ = ["CUT_OFF", "Bodies", "Body", "decompress"]

PIECE_SECONDS = 20.0
WHOLE_SECONDS = 300.0
MOST_BYTES = 128 << 20
"""Of all bodies that are in memory at once."""
CUT_OFF = (ClientPayloadError, HttpProcessingError, RequestPayloadError, OSError, RuntimeError)
"""What reading a body raises once it cannot be whole; the last one where its connection was lost
before anything was read, as of a request that waited behind another."""
_SHARES = 2
"""An owner's part of that is one of so many: the largest package is about half."""
_GZIP = zlib.MAX_WBITS | 16
"""zlib's parameter for the format of RFC 1952."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Body:
    """A whole body."""

    content: bytes
    sha256: str
    """Hexadecimal."""

    @classmethod
    def of(cls, content: bytes) -> Body:
        """Make one of what is whole."""
        return cls(content, hashlib.sha256(content).hexdigest())


class Bodies:
    """Reads the bodies of one gateway's requests."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.budget = ByteBudget(most_bytes)

    @asynccontextmanager
    async def reading(
        self,
        request: BaseRequest | PlainRequest,
        limit: int,
        too_large: TooLarge,
        *,
        owner: str = "",
    ) -> AsyncIterator[Body]:
        """Lend a whole body of at most `limit` bytes for as long as it is worked on.

        An `owner` has half of the memory at most: who sends slowly holds up nobody else.

        Raises `too_large` as soon as it is more, RequestTimeoutError where it comes too slowly and
        ServiceUnavailableError where too many others are in memory for too long.
        """
        if isinstance(request, PlainRequest):  # it came whole, and is small
            yield Body.of(request.body)
            return
        _check_announced(request, limit, too_large)
        if request.content.is_eof():
            content = request.content.read_nowait()
            _check_length(len(content), limit, too_large)
            yield Body.of(content)
            return
        announced = request.content_length
        async with self.room(limit if announced is None else announced, owner=owner):
            yield await _read(request, limit, too_large)

    @asynccontextmanager
    async def decompressed(
        self, body: bytes, encoding: str, limit: int, too_large: TooLarge
    ) -> AsyncIterator[bytes]:
        """Lend what a body of a `Content-Encoding` holds; raises what `decompress` does."""
        if not encoding:
            yield body
            return
        async with self.room(limit):
            yield decompress(body, encoding, limit, too_large)

    @asynccontextmanager
    async def room(self, size: int, *, owner: str = "") -> AsyncIterator[None]:
        """Lend so many bytes of memory; raises ServiceUnavailableError where none become free."""
        budget = self.budget.share(owner, _SHARES) if owner else self.budget
        lent = await _take(budget, size)
        try:
            yield
        finally:
            budget.give(lent)


async def _take(budget: ByteBudget | ByteShare, size: int) -> int:
    try:
        async with asyncio.timeout(PIECE_SECONDS):
            return await budget.take(size)
    except TimeoutError as error:
        raise ServiceUnavailableError(
            f"too many large requests at once: there was no room for {size} bytes "
            f"within {PIECE_SECONDS:.0f} s",
            headers={"Retry-After": "5"},
        ) from error


def decompress(body: bytes, encoding: str, limit: int, too_large: TooLarge) -> bytes:
    """Decompress a body of a `Content-Encoding`; raises `too_large` where it becomes more.

    Raises ValidationError where it is damaged, UnsupportedMediaTypeError for other encodings.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            inflater = zlib.decompressobj(_GZIP)
        case "deflate":
            inflater = zlib.decompressobj()
        case _:
            raise UnsupportedMediaTypeError(
                f"Content-Encoding {encoding[:80]!r} came, gzip or deflate is expected"
            )
    try:
        content = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise ValidationError(f"the body is no {encoding}: {error}") from error
    _check_length(len(content), limit, too_large)
    if not inflater.eof or inflater.unused_data:
        raise ValidationError(f"the body is more or less than one {encoding} stream")
    return content


async def _read(request: BaseRequest, limit: int, too_large: TooLarge) -> Body:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
    deadline = asyncio.get_running_loop().time() + WHOLE_SECONDS
    # It hands out what it holds without a copy, which a join of pieces would be.
    content, digest = io.BytesIO(), hashlib.sha256()
    while piece := await _next_piece(request, deadline):
        _check_length(content.tell() + len(piece), limit, too_large)
        content.write(piece)
        digest.update(piece)
    return Body(content.getvalue(), digest.hexdigest())


async def _next_piece(request: BaseRequest, deadline: float) -> bytes:
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(min(deadline, now + PIECE_SECONDS)):
            return await request.content.readany()
    except TimeoutError as error:
        raise RequestTimeoutError(
            f"the body came too slowly: at most {PIECE_SECONDS:.0f} s between two pieces and "
            f"{WHOLE_SECONDS:.0f} s in all"
        ) from error
    except CUT_OFF as error:
        raise ValidationError("the body was cut off before its end") from error


def _check_announced(request: BaseRequest, limit: int, too_large: TooLarge) -> None:
    if request.content_length is not None:
        _check_length(request.content_length, limit, too_large)


def _check_length(length: int, limit: int, too_large: TooLarge) -> None:
    if length > limit:
        raise too_large.of(length, limit)
