"""A gateway's claims on the cluster: one long-lived connection to the autoscaler's leader.

While there is no leader, claims wait for the next one until their deadline; what is leased already
goes on serving. After a reconnect the gateway tells what it holds and knows (`Hello`), and claims
without an answer are sent again.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import structlog

from pilotlight.claims import Demand
from pilotlight.claims_protocol import (
    CLAIMS_PATH,
    WITHDRAWS,
    Acknowledge,
    Claim,
    Granted,
    Hello,
    Known,
    Recall,
    Recalled,
    Refused,
    Release,
    Shed,
    Shedding,
    ToGateway,
    Withdraw,
    claims_token,
    to_gateway,
)
from pilotlight.errors import (
    PilotlightError,
    RevisionGoneError,
    StartFailedError,
    ThrottledError,
    UnavailableError,
    WithdrawnError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel

    from pilotlight.claims import Holder, Lease, ReleaseReason, RevisionKey
    from pilotlight.resources import Key

__all__ = ["ClaimsClient"]

RECONNECT_SECONDS = 0.5

log = structlog.get_logger()


@dataclass(slots=True)
class _Pending:
    claim: Claim
    demand: Demand
    answer: asyncio.Future[Lease]
    deadline: float

    def drop(self) -> None:
        """End a claim that was withdrawn, and that no leader knows."""
        if not self.answer.done():
            self.answer.set_exception(WithdrawnError("nobody waits for it any more"))


@dataclass(slots=True)
class ClaimsClient:
    """Claims environments from whoever leads."""

    find_leader: Callable[[], Awaitable[str | None]]
    """Return `host:port` of the leader's claims server, or None while there is none."""
    platform_key: bytes
    gateway: str
    _holder: Holder | None = None
    _known: dict[Key, str] = field(default_factory=dict)
    _pending: dict[int, _Pending] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _socket: aiohttp.ClientWebSocketResponse | None = None
    _away: str | None = None
    """Why no leader could be reached; None since one was."""

    @property
    def connected(self) -> bool:
        """Whether a leader listens."""
        return self._socket is not None

    def bind(self, holder: Holder) -> None:
        """Say whom to ask for what this gateway holds."""
        self._holder = holder

    async def claim(
        self, revision: RevisionKey, *, seconds: float, demand: Demand | None = None
    ) -> Lease:
        """Ask for one environment (`pilotlight.claims.Claims`)."""
        loop = asyncio.get_running_loop()
        claim = Claim(id=next(self._ids), revision=revision, seconds=seconds)
        deadline = loop.time() + seconds
        pending = _Pending(claim, demand or Demand(), loop.create_future(), deadline)
        self._pending[claim.id] = pending
        try:
            await self._send(claim)
            async with asyncio.timeout_at(pending.deadline):
                return await pending.answer
        except BaseException as error:
            await self._give_back_late(pending.answer)
            if not isinstance(error, TimeoutError):
                raise
            if self.connected:
                raise ThrottledError(
                    f"no environment could be started within {seconds:.0f} s",
                    reason="ConcurrentInvocationLimitExceeded",
                ) from error
            raise UnavailableError("the autoscaler is away and did not come back") from error
        finally:
            del self._pending[claim.id]

    async def withdraw(self, demand: Demand) -> None:
        """Say that nobody waits any more; while nobody leads, the claim ends at once."""
        demand.withdraw()
        for pending in [one for one in self._pending.values() if one.demand is demand]:
            if self._socket is None:
                pending.drop()
            elif self._socket.protocol == WITHDRAWS:
                await self._send(Withdraw(id=pending.claim.id))

    async def _give_back_late(self, answer: asyncio.Future[Lease]) -> None:
        """Give back what was granted at the very moment when its caller went."""
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            await self.release(answer.result(), "idle")

    async def release(self, lease: Lease, reason: ReleaseReason) -> None:
        """Give an environment back; what is not told a leader learns from the next `Hello`."""
        await self._send(Release(lease=lease.id, reason=reason))

    async def acknowledge(self, function: Key, revision: str) -> None:
        """Say that this gateway routes the function to that revision."""
        self._known[function] = revision
        await self._send(Acknowledge(known=_known(function, revision)))

    async def run(self) -> None:
        """Stay connected to whoever leads, for ever."""
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    await self._follow(session)
                except (aiohttp.ClientError, OSError, TimeoutError, PilotlightError) as error:
                    self._note_away(str(error) or type(error).__name__)
                except Exception:
                    log.exception("connection to the autoscaler broke")
                await asyncio.sleep(RECONNECT_SECONDS)

    def _note_away(self, reason: str) -> None:
        """Say it once: it is tried again twice a second for as long as it takes."""
        if reason != self._away:
            log.info("no autoscaler", error=reason)
        self._away = reason

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        leader = await self.find_leader()
        if leader is None:
            return
        headers = {"Authorization": f"Bearer {claims_token(self.platform_key)}"}
        async with asyncio.timeout(5.0):
            socket = await session.ws_connect(
                f"http://{leader}{CLAIMS_PATH}",
                headers=headers,
                heartbeat=10.0,
                protocols=(WITHDRAWS,),
            )
        try:
            await self._greet(socket)
            self._away = None
            log.info("autoscaler connected", leader=leader)
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    break  # an error in place of a message: the connection is as good as gone
                await self._take(to_gateway.validate_json(frame.data))
        finally:
            self._socket = None
            await socket.close()

    async def _greet(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        known = [_known(key, revision) for key, revision in self._known.items()]
        leases = self._holder.held() if self._holder else []
        hello = Hello(gateway=self.gateway, leases=leases, known=known)
        await socket.send_str(hello.model_dump_json())
        self._socket = socket
        now = asyncio.get_running_loop().time()
        for pending in list(self._pending.values()):
            if pending.demand.withdrawn:
                pending.drop()
                continue
            left = max(0.0, pending.deadline - now)
            await self._send(pending.claim.model_copy(update={"seconds": left}))

    async def _send(self, message: BaseModel) -> None:
        if self._socket is None:
            return
        try:
            await self._socket.send_str(message.model_dump_json())
        except (ConnectionError, aiohttp.ClientError):
            log.info("message not sent, the leader went away", kind=type(message).__name__)

    async def _take(self, message: ToGateway) -> None:
        match message:
            case Recall():
                lease = None
                if self._holder:
                    lease = self._holder.recall(message.leases, rested=message.rested)
                await self._send(Recalled(id=message.id, lease=lease))
            case Shed():
                count = self._holder.shed(message.leases, message.count) if self._holder else 0
                await self._send(Shedding(id=message.id, count=count))
            case _:
                await self._answered(message)

    async def _answered(self, message: Granted | Refused) -> None:
        pending = self._pending.get(message.id)
        if pending is None or pending.answer.done():
            if isinstance(message, Granted):  # the caller has gone: it goes straight back
                await self.release(message.lease, "idle")
        elif isinstance(message, Granted):
            pending.answer.set_result(message.lease)
        else:
            pending.answer.set_exception(_error(message))


def _known(function: Key, revision: str) -> Known:
    return Known(namespace=function.namespace, function=function.name, revision=revision)


def _error(refused: Refused) -> PilotlightError:
    match refused.code:
        case ThrottledError.code:
            return ThrottledError(
                refused.message,
                reason=refused.reason,
                retry_after=refused.retry_after,
                of_room=refused.of_room,
            )
        case WithdrawnError.code:
            return WithdrawnError(refused.message)
        case RevisionGoneError.code:
            return RevisionGoneError(refused.message)
        case StartFailedError.code:
            return StartFailedError(refused.message, reason=refused.reason)
        case _:
            return UnavailableError(f"{refused.code}: {refused.message}")
