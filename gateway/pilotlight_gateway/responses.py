"""Writes replies as HTTP: the last step of the pipeline, and the one place with aiohttp responses.

`head_of` writes the same head without aiohttp, for `plain_connection`.

A body that breaks off in its middle ends the connection, so that no client takes a truncated answer
for a whole one. A client that reads nothing loses it too (`server`), and so does one that takes for
ever.
"""

from __future__ import annotations

import asyncio
import functools
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from multidict import CIMultiDict

from .connections import while_connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiohttp.web_request import BaseRequest

    from .exchange import Reply

__all__ = ["head_of", "whole", "write"]

SMALL = 1 << 16
"""Bytes of an answer that the socket takes at once."""
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses of answers that have no body, whatever a function says."""

_KNOWN = frozenset(HTTPStatus)

log = structlog.get_logger()


async def write(request: BaseRequest, reply: Reply, request_id: str) -> web.StreamResponse:
    """Write a reply, and release it."""
    try:
        return await _send(request, reply, request_id)
    finally:
        reply.release()


def whole(reply: Reply, request_id: str) -> web.Response:
    """Return the response of a reply whose body is there."""
    return web.Response(status=reply.status, body=reply.body, headers=_headers(reply, request_id))


def head_of(reply: Reply, request_id: str) -> bytes:
    """Return the head of a reply on a connection that is kept; of unknown length are its chunks.

    Raises ValueError where a header would not be one.
    """
    headers = _headers(reply, request_id)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if reply.status not in BODILESS:
        length = len(reply.body) if isinstance(reply.body, bytes) else reply.length
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines.append(framing)
    if not reply.repeated or "Date" not in headers:
        lines.append(_date_line(int(time.time())))
    text = "\r\n".join(lines)
    if text.count("\r") + text.count("\n") > 2 * (len(lines) - 1) or "\0" in text:
        raise ValueError("a header holds a control character")
    return f"{_status_line(reply.status)}{text}\r\n\r\n".encode()


@functools.cache
def _status_line(status: int) -> str:
    phrase = HTTPStatus(status).phrase if status in _KNOWN else ""
    return f"HTTP/1.1 {status} {phrase}\r\n"


@functools.lru_cache(maxsize=1)
def _date_line(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}"


def _headers(reply: Reply, request_id: str) -> Mapping[str, str]:
    headers = {
        "x-amzn-RequestId": request_id,
        "Content-Type": reply.content_type,
        "Server": "Pilotlight",
    }
    headers |= reply.headers
    return _merged(headers, reply.repeated) if reply.repeated else headers


def _merged(headers: Mapping[str, str], own: Sequence[tuple[str, str]]) -> CIMultiDict[str]:
    """Lay a function's headers over the gateway's."""
    merged = CIMultiDict(headers)
    for name, _ in own:
        merged.popall(name, None)
    merged.extend(own)
    return merged


async def _send(request: BaseRequest, reply: Reply, request_id: str) -> web.StreamResponse:
    if isinstance(reply.body, bytes):
        response = whole(reply, request_id)
        if len(reply.body) > SMALL:  # aiohttp writes it once this has returned, else
            await _deliver(request, response, seconds=reply.seconds)
        return response
    stream = web.StreamResponse(status=reply.status, headers=_headers(reply, request_id))
    stream.content_length = reply.length
    body = reply.body if _may_have_body(request, reply) else None
    await _deliver(request, stream, body, seconds=reply.seconds)
    return stream


def _may_have_body(request: BaseRequest, reply: Reply) -> bool:
    """Say whether HTTP allows a body that nobody knows the length of."""
    return request.method != "HEAD" and reply.status not in BODILESS


async def _deliver(
    request: BaseRequest,
    response: web.StreamResponse,
    body: AsyncIterator[bytes] | None = None,
    *,
    seconds: float,
) -> None:
    """Write a response until the client has it, has gone, or takes for ever."""
    try:
        async with asyncio.timeout(seconds):
            with while_connected(request):
                await response.prepare(request)
                if body is not None:
                    async for chunk in body:
                        await response.write(chunk)
                await response.write_eof()
    except Exception as error:  # noqa: BLE001  whatever it was, the head is out: only a cut is true
        log.warning("response broke off", error=repr(error))
        if request.transport is not None:
            request.transport.abort()
