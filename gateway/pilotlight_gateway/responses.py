"""Writes replies and errors as HTTP; the one place that makes aiohttp responses.

A body that breaks off in its middle ends the connection, so that no client takes a truncated answer
for a whole one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from .exchange import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.web_request import BaseRequest

    from .errors import ApiError

__all__ = ["error_reply", "write"]

log = structlog.get_logger()


def error_reply(error: ApiError) -> Reply:
    """Say an error in the API's form."""
    return Reply(
        error.status,
        json.dumps(error.body(), ensure_ascii=False).encode(),
        headers={"x-amzn-ErrorType": error.type} | error.headers,
    )


async def write(request: BaseRequest, reply: Reply, request_id: str) -> web.StreamResponse:
    """Write a reply."""
    headers = {
        "x-amzn-RequestId": request_id,
        "Content-Type": reply.content_type,
        "Server": "Pilotlight",
    }
    headers |= reply.headers
    if isinstance(reply.body, bytes):
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    return await _stream(request, reply, reply.body, headers)


async def _stream(
    request: BaseRequest, reply: Reply, body: AsyncIterator[bytes], headers: dict[str, str]
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
