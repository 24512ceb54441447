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

__all__ = ["write"]

log = structlog.get_logger()


async def write(request: BaseRequest, reply: Reply, request_id: str) -> web.StreamResponse:
    """Write a reply."""
    headers = {
        "x-amzn-RequestId": request_id,
        "Content-Type": reply.content_type,
        "Server": "Pilotlight",
    }
    headers |= reply.headers
    if reply.repeated:
        return await _send(request, reply, _merged(headers, reply.repeated))
    return await _send(request, reply, headers)


def _merged(headers: Mapping[str, str], own: Sequence[tuple[str, str]]) -> CIMultiDict[str]:
    """Lay a function's headers over the gateway's."""
    merged = CIMultiDict(headers)
    for name, _ in own:
        merged.popall(name, None)
    merged.extend(own)
    return merged


async def _send(
    request: BaseRequest, reply: Reply, headers: Mapping[str, str]
) -> web.StreamResponse:
    if isinstance(reply.body, bytes):
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    return await _stream(request, reply, reply.body, headers)


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
