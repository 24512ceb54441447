"""Writes replies as HTTP: the last step of the pipeline, and the one place with aiohttp responses.

A body that breaks off in its middle ends the connection, so that no client takes a truncated answer
for a whole one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from multidict import CIMultiDict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiohttp.web_request import BaseRequest

    from .exchange import Reply

__all__ = ["whole", "write"]

log = structlog.get_logger()


async def write(request: BaseRequest, reply: Reply, request_id: str) -> web.StreamResponse:
    """Write a reply."""
    if isinstance(reply.body, bytes):
        return whole(reply, request_id)
    return await _stream(request, reply, reply.body, _headers(reply, request_id))


def whole(reply: Reply, request_id: str) -> web.Response:
    """Return the response of a reply whose body is there."""
    return web.Response(status=reply.status, body=reply.body, headers=_headers(reply, request_id))


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


async def _stream(
    request: BaseRequest, reply: Reply, body: AsyncIterator[bytes], headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_length = reply.length
    try:
        await response.prepare(request)
        async for chunk in body:
            await response.write(chunk)
        await response.write_eof()
    except Exception as error:  # noqa: BLE001  whatever it was, the head is out: only a cut is true
        log.warning("response broke off", error=repr(error))
        if request.transport is not None:
            request.transport.abort()
    return response
