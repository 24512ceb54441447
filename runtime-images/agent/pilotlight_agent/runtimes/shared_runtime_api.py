"""The Lambda Runtime API for a runtime that takes several events at once.

It polls in parallel, as AWS's own clients do where AWS_LAMBDA_MAX_CONCURRENCY is set, and each poll
gets one event; an answer names its request, and may name the attempt by what came with the event
(`Lambda-Runtime-Invocation-Id`). There is no order of states but that of each event: answers to
nothing that runs are refused. Statuses and error types are those of AWS's runtime interface
emulator for managed instances.
"""

import asyncio
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass

from pilotlight_agent.http.request import Request, Sink
from pilotlight_agent.http.server import Connection, Serve
from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.invocation import Invocation, Result

from .credentials_api import CredentialsApi
from .extensions_api import ExtensionsApi
from .metadata_api import MetadataApi
from .runtime_api import (
    INVOCATION,
    OK,
    Phase,
    RuntimeApi,
    content_type_of,
    error_type_of,
    event_headers,
    is_streamed,
    outcome_of,
    refuse,
    refuse_mode,
    respond,
)

_ATTEMPT = b"lambda-runtime-invocation-id"
_MOST_LATE = 1_000
"""Ids of invocations whose time is over that are remembered, to tell who comes late."""


@dataclass(slots=True)
class _Taken:
    """An event that the runtime has."""

    invocation: Invocation
    attempt: str


class SharedRuntimeApi(RuntimeApi):
    """Serves one runtime process after the other, each with several polls at once."""

    def __init__(
        self, extensions: ExtensionsApi, metadata: MetadataApi, credentials: CredentialsApi
    ) -> None:
        super().__init__(extensions, metadata, credentials)
        self._polls: deque[Connection] = deque()
        self._queue: deque[Invocation] = deque()
        self._taken: dict[str, _Taken] = {}
        """By request id."""
        self._late: OrderedDict[str, None] = OrderedDict()

    @property
    def taken(self) -> bool:
        """Whether the runtime has asked for and got every event."""
        return not self._queue

    def deliver(self, invocation: Invocation) -> None:
        """Hand the event to a poll that waits, or to the next one."""
        self._queue.append(invocation)
        self._hand_out()

    def withdraw(self, invocation: Invocation) -> bool:
        """Expect no answer any more; True where nobody had asked for the event yet."""
        if invocation in self._queue:
            self._queue.remove(invocation)
            return True
        if self._taken.pop(invocation.request_id, None) is not None:
            self._late[invocation.request_id] = None
            if len(self._late) > _MOST_LATE:
                self._late.popitem(last=False)
        return False

    def close(self) -> None:
        """Forget the process."""
        super().close()
        for held in (self._polls, self._queue, self._taken, self._late):
            held.clear()

    def _next(self, _request: Request, connection: Connection) -> None:
        if self._phase is Phase.INIT_ERROR:
            self._advance(Phase.READY, connection)
            return
        self._phase = Phase.READY
        self._polls.append(connection)
        self._hand_out()
        if self._listener is not None and not self._greeted:
            self._greeted = True
            self._listener.on_ready()

    def _hand_out(self) -> None:
        """Give each event to a poll, the oldest to the one that has waited longest."""
        while self._queue and self._polls:
            poll = self._polls.popleft()
            if poll.closed or poll.half_closed:  # its worker has gone
                continue
            invocation = self._queue.popleft()
            taken = self._taken[invocation.request_id] = _Taken(invocation, str(uuid.uuid4()))
            invocation.begin()
            attempt = f"Lambda-Runtime-Invocation-Id: {taken.attempt}\r\n".encode()
            poll.respond(200, invocation.event, event_headers(invocation) + attempt)

    def _serve_outcome(
        self, request_id: str, take: Serve, request: Request, connection: Connection
    ) -> None:
        """Take what answers an event that the runtime has."""
        taken = self._taken.get(request_id)
        attempt = request.headers.get(_ATTEMPT, b"").decode("latin-1")
        if taken is not None and attempt in {"", taken.attempt}:
            take(request, connection)
        elif taken is None and request_id in self._late:
            del self._late[request_id]
            refuse(connection, 410, "InvokeTimeout", "Invoke timeout")
            self._tell_late(request_id)
        else:
            refuse(connection, 400, "InvalidRequestID", "Invalid request ID")

    def _response(self, request: Request, connection: Connection) -> None:
        if refuse_mode(request, connection):
            return
        respond(request, connection)
        self._answer(request, outcome_of(request))

    def _error(self, request: Request, connection: Connection) -> None:
        connection.respond(202, OK)
        problem = failure.by_function(error_type_of(request), request.body)
        self._answer(request, Result(problem.body, "application/json", problem))

    def _answer(self, request: Request, result: Result) -> None:
        request_id = _request_id(request)
        taken = self._taken.pop(request_id, None)
        if self._listener is not None and taken is not None:
            self._listener.on_result(request_id, taken.invocation.complete(result))

    def _tell_late(self, request_id: str) -> None:
        """Tell that a call whose time is over has come back: its worker is free."""
        if self._listener is not None:
            self._listener.on_result(request_id, Result(b"", "application/json"))

    def _open_stream(self, connection: Connection, request: Request) -> Sink | None:
        """Take a response that is streamed while it comes; what is none waits to be whole."""
        taken = self._taken.get(_request_id(request))
        if taken is None or not is_streamed(request):
            return None
        invocation = taken.invocation

        def take(piece: bytes) -> None:
            if self._taken.get(invocation.request_id) is taken:
                self._heard = True
                invocation.write(piece, content_type_of(request))
                invocation.when_full(connection.pause_reading, connection.resume_reading)

        return take

    def _break_off(self, request: Request) -> None:
        """Answer an event whose response ended early."""
        problem = failure.truncated(_request_id(request))
        result = Result(problem.body, "application/json", problem)
        asyncio.get_running_loop().call_soon(self._answer, request, result)


def _request_id(request: Request) -> str:
    """Return which event a request answers; empty where it is none."""
    path = INVOCATION.fullmatch(request.target)
    return "" if path is None else path[1].decode()
