"""A plain aiohttp server that hands every request on with a ClientSession: `proxy.py PORT URL`."""

import sys
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

UPSTREAM = web.AppKey("upstream", aiohttp.ClientSession)


async def hand_on(request: web.Request) -> web.Response:
    """Send the body on and the answer back."""
    body = await request.read()
    headers = {"Content-Type": request.content_type}
    async with request.app[UPSTREAM].post(sys.argv[2], data=body, headers=headers) as answer:
        return web.Response(body=await answer.read(), status=answer.status)


async def session(app: web.Application) -> AsyncIterator[None]:
    """Keep one client session."""
    async with aiohttp.ClientSession() as opened:
        app[UPSTREAM] = opened
        yield


if __name__ == "__main__":
    application = web.Application()
    application.router.add_post("/", hand_on)
    application.cleanup_ctx.append(session)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), access_log=None)
