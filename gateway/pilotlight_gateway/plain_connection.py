"""The public port's connections: requests in the plain form are served here, without aiohttp.

Those of `Invoke`, function URLs and routes are. Whatever else comes on a connection goes to an
aiohttp connection behind this one (`guarded_connection`), with the bytes as they came; once that
has answered all it was given, the next request is looked at here again. So what is unusual is
judged in one place only, and heads and bodies that come slowly have aiohttp's deadlines. `pipeline`
answers both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog

from . import connections
from .plain_request import LARGEST_BODY, LARGEST_HEAD, PlainRequest, read_head
from .responses import BODILESS, SMALL, head_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .exchange import Reply
    from .guarded_connection import GuardedConnection

__all__ = ["PlainConnection", "Replies"]

BODY_SECONDS = 0.05
"""How long a small body may come after its head; what comes later is aiohttp's."""
MOST_AHEAD = 1 << 16
"""Bytes that a client may send before it has its answer."""
_HEAD_END = b"\r\n\r\n"

log = structlog.get_logger()


class Replies(Protocol):
    """Answers requests in the plain form (`pipeline.ClientPipeline`)."""

    def takes(self, request: PlainRequest) -> bool:
        """Whether this one is answered here."""
        ...

    def reply(self, request: PlainRequest) -> Awaitable[tuple[Reply, str]]:
        """Answer it, whatever happens; returns the request id too."""
        ...


class PlainConnection(asyncio.Protocol):
    """One connection of a client."""

    __slots__ = (
        "_ahead", "_answering", "_closing", "_deadline", "_idle", "_loop", "_make_other",
        "_open", "_other", "_partial", "_partial_timer", "_replies", "_source_ip", "_writable",
        "doing", "transport",
    )  # fmt: skip

    def __init__(
        self,
        replies: Replies,
        make_other: Callable[[float], GuardedConnection],
        open_connections: set[PlainConnection],
    ) -> None:
        """`make_other` makes aiohttp's, whose first head must be whole in so many seconds."""
        self._replies = replies
        self._make_other = make_other
        self._open = open_connections
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.doing: asyncio.Task[Any] | None = None
        """What ends with its client: a wait for an environment, the writing of a large answer."""
        self._source_ip = ""
        self._other: GuardedConnection | None = None
        self._answering: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        """There while the client must read before more is written."""
        self._partial = b""
        """A head whose small body is still to come."""
        self._partial_timer: asyncio.TimerHandle | None = None
        self._ahead = bytearray()
        """What came before its turn."""
        self._idle: asyncio.TimerHandle | None = None
        """Looks whether the deadline has passed, while nothing is aiohttp's."""
        self._deadline = 0.0
        """By when a request must have come."""
        self._closing = False

    @property
    def answering(self) -> asyncio.Task[None] | None:
        """What answers a request now."""
        return self._answering

    def close(self) -> None:
        """Take no other request, and close once there is nothing to answer (not aiohttp's)."""
        self._closing = True
        if self._answering is None and self._other is None:
            self._end()

    def abort(self) -> None:
        """Cut the connection off."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a first request (asyncio.Protocol)."""
        self.transport = cast("asyncio.Transport", transport)
        self._source_ip = connections.source_ip(transport)
        self._open.add(self)
        connections.guard_writes(transport)
        self._wait(connections.HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything but what already runs (asyncio.Protocol)."""
        self.transport = None
        self._open.discard(self)
        self._forget_partial()
        self._rest()
        if self.doing is not None:
            self.doing.cancel()
        if self._other is not None:
            self._other.connection_lost(exc)

    def pause_writing(self) -> None:
        """Have whoever writes wait (asyncio.Protocol)."""
        self._writable = self._loop.create_future()
        if self._other is not None:
            self._other.pause_writing()

    def resume_writing(self) -> None:
        """Have whoever writes go on (asyncio.Protocol)."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._other is not None:
            self._other.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Begin an answer, or have aiohttp look at what came (asyncio.Protocol)."""
        if self._answering is not None:
            self._keep(data)
        elif self._other is not None and not self._other.at_rest:
            self._other.data_received(data)
        elif not self._closing:
            self._look_at(self._partial + data if self._partial else data)

    def _look_at(self, data: bytes) -> None:
        end = data.find(_HEAD_END, 0, LARGEST_HEAD) + 2
        head = read_head(data[:end]) if end > 1 else None
        if head is None or head.length > LARGEST_BODY or self._writable is not None:
            self._hand_over(data)
            return
        body = data[end + 2 :]
        request = PlainRequest(head, body, self._source_ip)
        if len(body) > head.length or not self._replies.takes(request):
            self._hand_over(data)
        elif len(body) == head.length:
            self._begin(request)
        else:
            self._wait_for_body(data)

    def _begin(self, request: PlainRequest) -> None:
        if self._partial:
            self._forget_partial()
        if self._other is not None:
            self._other.keep_alive(True)  # noqa: FBT003  aiohttp's
        connections.serve(self)
        self._answering = self._loop.create_task(self._answer(request))

    async def _answer(self, request: PlainRequest) -> None:
        try:
            reply, request_id = await self._replies.reply(request)
            try:
                await self._write(reply, request_id)
            finally:
                reply.release()
        except Exception as error:  # noqa: BLE001  whatever it was, only a cut is true
            log.warning("response broke off", error=repr(error))
            self.abort()
        finally:
            self._answering = None
            self._answered()

    def _answered(self) -> None:
        if self.transport is None:
            return
        if self._closing:
            self._end()
            return
        self._wait(connections.KEEP_ALIVE_SECONDS)
        if self._ahead:
            ahead, self._ahead = bytes(self._ahead), bytearray()
            if not self.transport.is_reading():
                self.transport.resume_reading()
            self.data_received(ahead)

    async def _write(self, reply: Reply, request_id: str) -> None:
        if self.transport is None:
            return
        head = head_of(reply, request_id)
        if reply.status in BODILESS:
            self.transport.write(head)
            return
        if isinstance(reply.body, bytes) and len(reply.body) <= SMALL:
            self.transport.write(head + reply.body)
            return
        self.doing = self._answering
        try:
            async with asyncio.timeout(reply.seconds):
                await self._stream(head, reply)
        finally:
            self.doing = None

    async def _stream(self, head: bytes, reply: Reply) -> None:
        """Write a large answer as fast as its client reads."""
        await self._send(head)
        if isinstance(reply.body, bytes):
            await self._send(reply.body)
            return
        if reply.length is not None:
            async for piece in reply.body:
                await self._send(piece)
            return
        async for piece in reply.body:
            if piece:
                await self._send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await self._send(b"0\r\n\r\n")

    async def _send(self, piece: bytes) -> None:
        if self.transport is not None:
            self.transport.write(piece)
        if self._writable is not None:
            await self._writable
        elif self.transport is None or self.transport.is_closing():
            # The client has gone, and the loop has yet to say so: a body may never wait itself.
            await asyncio.sleep(0)

    def _keep(self, data: bytes) -> None:
        """Keep what came before its turn; of too much the client has to wait."""
        self._ahead += data
        if len(self._ahead) > MOST_AHEAD and self.transport is not None:
            self.transport.pause_reading()

    def _hand_over(self, data: bytes) -> None:
        """Have aiohttp answer what begins with these bytes."""
        self._forget_partial()
        self._rest()
        if self.transport is None:
            return
        if self._other is None:
            left = self._deadline - self._loop.time()
            self._other = self._make_other(min(left, connections.HEAD_SECONDS))
            self._other.connection_made(self.transport)
            if self._writable is not None:
                self._other.pause_writing()
        self._other.data_received(data)

    def _wait_for_body(self, data: bytes) -> None:
        self._partial = data
        if self._partial_timer is None:
            self._partial_timer = self._loop.call_later(BODY_SECONDS, self._give_up_body)

    def _give_up_body(self) -> None:
        self._hand_over(self._partial)

    def _forget_partial(self) -> None:
        self._partial = b""
        if self._partial_timer is not None:
            self._partial_timer.cancel()
            self._partial_timer = None

    def _wait(self, seconds: float) -> None:
        """Have the connection closed unless a request comes in time."""
        self._deadline = self._loop.time() + seconds
        if self._idle is None:
            self._idle = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if self._answering is not None:
            self._idle = self._loop.call_at(now + connections.KEEP_ALIVE_SECONDS, self._look)
        elif now < self._deadline:
            self._idle = self._loop.call_at(self._deadline, self._look)
        else:
            self._end()

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.close()
