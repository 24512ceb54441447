"""Reads request bodies within limits and deadlines; nothing above a limit is ever held.

A body is read as it came: that is what clients sign and what functions behind HTTP get. SDKs
compress what they send to services, whose operations get it decompressed, within the same limit.

aiohttp itself waits for ever for a slow body. Both a deadline between two pieces and one for the
whole are kept here; the one for the head is in `server`.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from aiohttp import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from .errors import (
    ApiError,
    RequestTimeoutError,
    UnsupportedMediaTypeError,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web_request import BaseRequest

__all__ = ["decompress", "read_body", "stream_body"]

PIECE_SECONDS = 20.0
WHOLE_SECONDS = 300.0
_GZIP = zlib.MAX_WBITS | 16
"""zlib's parameter for the format of RFC 1952."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(request: BaseRequest, limit: int, too_large: type[ApiError]) -> bytes:
    """Read a whole body of at most `limit` bytes; raises `too_large` as soon as it is more."""
    _check_announced(request, limit, too_large)
    content = request.content
    if content.is_eof():
        body = content.read_nowait()
        _check_length(len(body), limit, too_large)
        return body
    pieces = [piece async for piece in stream_body(request, limit, too_large)]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def decompress(body: bytes, encoding: str, limit: int, too_large: type[ApiError]) -> bytes:
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


async def stream_body(
    request: BaseRequest, limit: int, too_large: type[ApiError]
) -> AsyncIterator[bytes]:
    """Return a body in pieces as they come, at most `limit` bytes in all."""
    _check_announced(request, limit, too_large)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
    deadline = asyncio.get_running_loop().time() + WHOLE_SECONDS
    length = 0
    while piece := await _next_piece(request, deadline):
        length += len(piece)
        _check_length(length, limit, too_large)
        yield piece


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
    except (ClientPayloadError, HttpProcessingError, RequestPayloadError, OSError) as error:
        raise ValidationError("the body was cut off before its end") from error


def _check_announced(request: BaseRequest, limit: int, too_large: type[ApiError]) -> None:
    if request.content_length is not None:
        _check_length(request.content_length, limit, too_large)


def _check_length(length: int, limit: int, too_large: type[ApiError]) -> None:
    if length > limit:
        raise too_large(f"Request must be smaller than {limit} bytes, {length} bytes came")
