"""The leader's end of the gateways' connections: claims come in, leases go out.

A new leader first listens: gateways tell what they hold (`COLLECT_SECONDS`), and only then is
anything granted, so that no limit is exceeded by what an earlier leader granted. Pods that nobody
told of are stopped later, and a gateway that stays away loses what it held.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import WSMsgType, web

from pilotlight.claims import Demand
from pilotlight.claims_protocol import (
    CLAIMS_PATH,
    WITHDRAWS,
    Acknowledge,
    Claim,
    FromGateway,
    Granted,
    Hello,
    Recall,
    Recalled,
    Refused,
    Release,
    Shed,
    Shedding,
    Withdraw,
    claims_token,
    from_gateway,
)
from pilotlight.errors import (
    PilotlightError,
    StartFailedError,
    ThrottledError,
    WithdrawnError,
)
from pilotlight.resources import Key

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pilotlight_autoscaler.leases.capacity import Capacity
    from pilotlight_autoscaler.leases.caps import Caps

    from .acknowledgements import Acknowledgements

__all__ = ["ClaimsServer"]

ASK_SECONDS = 1.0
"""How long a gateway may take to say what it gives back."""
COLLECT_SECONDS = 3.0
"""Gateways reconnect within a second (`pilotlight_gateway.invocation.claims_client`)."""
ORPHAN_SECONDS = 15.0
GONE_SECONDS = 30.0

log = structlog.get_logger()


class ClaimsServer:
    """Serves claims of any number of gateways."""

    def __init__(
        self,
        capacity: Capacity,
        caps: Caps,
        acknowledgements: Acknowledgements,
        platform_key: bytes,
    ) -> None:
        self._capacity = capacity
        self._caps = caps
        self._acknowledgements = acknowledgements
        self._token = f"Bearer {claims_token(platform_key)}"
        self._collected = asyncio.Event()
        self._connected: dict[str, web.WebSocketResponse] = {}
        self._demands: dict[tuple[web.WebSocketResponse, int], Demand] = {}
        """Of the claims that are not answered yet, by connection and id."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._asked: dict[int, asyncio.Future[Recalled | Shedding]] = {}
        self._ids = itertools.count(1)
        capacity.ask(self)

    async def recall(self, gateway: str, leases: list[str], *, rested: bool = False) -> str | None:
        """Ask a gateway for one idle environment (`pilotlight.claims.Holders`)."""
        question = Recall(id=next(self._ids), leases=leases, rested=rested)
        answer = await self._ask(gateway, question)
        return answer.lease if isinstance(answer, Recalled) else None

    async def shed(self, gateway: str, leases: list[str], count: int) -> int:
        """Ask a gateway for that many environments."""
        answer = await self._ask(gateway, Shed(id=next(self._ids), leases=leases, count=count))
        return answer.count if isinstance(answer, Shedding) else 0

    async def start(self, host: str, port: int) -> int:
        """Listen; gives the port."""
        app = web.Application()
        app.router.add_get(CLAIMS_PATH, self._connection)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.begin()
        return int(self._runner.addresses[0][1])

    def begin(self) -> None:
        """Hear what gateways hold from now on, then grant."""
        self._spawn(self._begin())

    async def stop(self) -> None:
        """Close every connection; leases stay what they are for the next leader to learn."""
        for task in list(self._tasks):
            task.cancel()
        for socket in list(self._connected.values()):
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _ask(self, gateway: str, question: Recall | Shed) -> Recalled | Shedding | None:
        socket = self._connected.get(gateway)
        if socket is None or socket.closed:
            return None
        answer: asyncio.Future[Recalled | Shedding] = asyncio.get_running_loop().create_future()
        self._asked[question.id] = answer
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await socket.send_str(question.model_dump_json())
                return await answer
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._asked[question.id]

    async def _begin(self) -> None:
        await asyncio.sleep(COLLECT_SECONDS)
        await self._capacity.succession.adopt()
        await self._caps.synced.wait()
        self._collected.set()
        await asyncio.sleep(ORPHAN_SECONDS)
        await self._capacity.succession.stop_orphans()

    async def _connection(self, request: web.Request) -> web.WebSocketResponse:
        shown = request.headers.get("Authorization", "")
        if not hmac.compare_digest(shown.encode(), self._token.encode()):
            raise web.HTTPUnauthorized(text="the token is not this platform's")
        socket = web.WebSocketResponse(heartbeat=10.0, protocols=(WITHDRAWS,))
        await socket.prepare(request)
        await self.serve(socket)
        return socket

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Answer a gateway until its connection ends."""
        gateway = ""
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    message = from_gateway.validate_json(frame.data)
                    gateway = await self._take(message, gateway, socket)
        finally:
            await self._disconnected(gateway, socket)

    async def _take(self, message: FromGateway, gateway: str, socket: web.WebSocketResponse) -> str:
        match message:
            case Hello():
                await self._greet(message, socket)
                return message.gateway
            case Claim():
                demand = self._demands[socket, message.id] = Demand()
                self._spawn(self._claim(message, demand, gateway, socket))
            case Withdraw():
                if (demanded := self._demands.get((socket, message.id))) is not None:
                    demanded.withdraw()
            case Release():
                self._spawn(self._capacity.release(message.lease, message.reason))
            case Recalled() | Shedding():
                self._hear(message)
            case Acknowledge():
                known = message.known
                key = Key(known.namespace, known.function)
                self._acknowledgements.acknowledge(gateway, key, known.revision)
        return gateway

    def _hear(self, message: Recalled | Shedding) -> None:
        """Take an answer; what is given back too late for who asked waits for whoever claims it."""
        asked = self._asked.get(message.id)
        if asked is not None and not asked.done():
            asked.set_result(message)
        elif isinstance(message, Recalled) and message.lease is not None:
            self._spawn(self._capacity.release(message.lease, "handover"))

    async def _greet(self, hello: Hello, socket: web.WebSocketResponse) -> None:
        log.info("gateway connected", gateway=hello.gateway, leases=len(hello.leases))
        self._connected[hello.gateway] = socket
        await self._capacity.succession.learn(hello.gateway, hello.leases)
        self._acknowledgements.connect(hello.gateway)
        for known in hello.known:
            key = Key(known.namespace, known.function)
            self._acknowledgements.acknowledge(hello.gateway, key, known.revision)

    async def _claim(
        self, claim: Claim, demand: Demand, gateway: str, socket: web.WebSocketResponse
    ) -> None:
        try:
            answer = await self._answer(claim, demand, gateway)
        finally:
            del self._demands[socket, claim.id]
        if not socket.closed:
            await socket.send_str(answer.model_dump_json())
        elif isinstance(answer, Granted):
            # Nobody hears of it: the gateway claims anew when it is back.
            await self._capacity.release(answer.lease.id, "handover")

    async def _answer(self, claim: Claim, demand: Demand, gateway: str) -> Granted | Refused:
        clock = asyncio.get_running_loop().time
        deadline = clock() + claim.seconds
        await self._collected.wait()
        try:
            if demand.withdrawn:
                raise WithdrawnError("nobody waits for it any more")
            lease = await self._capacity.claim(
                claim.revision, gateway=gateway, seconds=deadline - clock(), demand=demand
            )
        except PilotlightError as error:
            return _refusal(claim.id, error)
        return Granted(id=claim.id, lease=lease)

    async def _disconnected(self, gateway: str, socket: web.WebSocketResponse) -> None:
        for (connection, _), demand in list(self._demands.items()):
            if connection is socket:  # what is waited for still is claimed anew
                demand.withdraw()
        if self._connected.get(gateway) is not socket:
            return
        del self._connected[gateway]
        log.info("gateway disconnected", gateway=gateway)
        await self._acknowledgements.disconnect(gateway)
        self._spawn(self._give_up_on(gateway))

    async def _give_up_on(self, gateway: str) -> None:
        await asyncio.sleep(GONE_SECONDS)
        if gateway not in self._connected:
            await self._capacity.release_all(gateway)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("claim not answered", error=repr(error))


def _refusal(claim: int, error: PilotlightError) -> Refused:
    refused = Refused(id=claim, code=error.code, message=str(error))
    if isinstance(error, ThrottledError):
        said = {name: getattr(error, name) for name in ("reason", "retry_after", "of_room")}
        return refused.model_copy(update=said)
    if isinstance(error, StartFailedError):
        return refused.model_copy(update={"reason": error.reason})
    return refused
