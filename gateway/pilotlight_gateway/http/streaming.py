"""A response that is sent while its function writes it (`InvokeMode` RESPONSE_STREAM).

What a function writes is the body of a 200, unless its media type says that it begins with a
prelude: status, headers and cookies in JSON, then eight bytes of zero. AWS Lambda Developer Guide,
"Response streaming for Lambda functions". An envelope of a function that does not stream is a body
like any other, as on Lambda.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from pilotlight.errors import ConnectionLostError

from . import envelope
from .errors import HttpError
from .message import HttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight_gateway.invocation.invocation import Answer

__all__ = ["LARGEST_PRELUDE", "streamed"]

LARGEST_PRELUDE = 131_072
"""Bytes; more than all headers that a client takes."""
_PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response"
_PRELUDE_END = bytes(8)
_BROKEN = 502


async def streamed(answer: Answer) -> HttpResponse:
    """Begin a response with what has come of an answer; raises HttpError where that is nothing."""
    with ExitStack() as giving_up:
        giving_up.callback(answer.release)
        response = await _begin(answer, _pieces(answer))
        response.release = giving_up.pop_all().close
        return response


async def _begin(answer: Answer, pieces: AsyncIterator[bytes]) -> HttpResponse:
    if answer.content_type.partition(";")[0].strip().lower() != _PRELUDE_TYPE:
        first = await _next(pieces)
        return HttpResponse(
            200, [("Content-Type", answer.content_type)], _joined(first or b"", pieces)
        )
    came = b""
    while _PRELUDE_END not in came:
        piece = await _next(pieces)
        if piece is None or len(came) > LARGEST_PRELUDE:
            raise HttpError(_BROKEN)
        came += piece
    text, _, rest = came.partition(_PRELUDE_END)
    return _with_body(text, _joined(rest, pieces))


def _with_body(prelude: bytes, body: AsyncIterator[bytes]) -> HttpResponse:
    document = envelope.load(prelude)
    if not isinstance(document, dict):
        raise HttpError(_BROKEN)
    response = envelope.read({"statusCode": 200} | document)
    response.headers += envelope.cookies(document)
    response.body = body
    return response


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    """Return the next piece of what nobody has seen yet; None at its end."""
    try:
        return await anext(pieces, None)
    except ConnectionLostError as error:
        raise HttpError(_BROKEN) from error


async def _joined(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


async def _pieces(answer: Answer) -> AsyncIterator[bytes]:
    """Yield an answer; raises ConnectionLostError at the end of one that became an error."""
    async for piece in answer.pieces():
        yield piece
    if answer.function_error is not None:
        raise ConnectionLostError("the function failed while it wrote its answer")
