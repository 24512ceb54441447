"""An invocation as an agent is asked for it, and its answer: the warm path.

One write to a connection that is kept, one answer; the names are `pilotlight_wire.protocol`. At
most one execution: only what is known not to have begun may be tried elsewhere.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from pilotlight.errors import AgentFailedError, NotStartedError
from pilotlight_wire.protocol import Header, Path, State
from pilotlight_wire.report import ENCODED, Report

from .chunks import Chunks
from .connection import ENDLESS, Request
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from .connection import AgentAnswer, AgentConnection

__all__ = ["Answer", "Invocation", "Permit", "invoke"]

_JSON = "application/json"
SMALL = 1 << 16
"""Bytes up to which an answer is handed on whole: one write instead of many."""
_FIELDS = (
    f"{Header.ENVIRONMENT}: %s\r\n{Header.LEASE}: %s\r\n{Header.FUNCTION_ARN}: %s\r\n"
    f"Content-Type: %s\r\n{Header.DEADLINE_MS}: %d\r\n{Header.REQUEST_ID}: %s\r\n"
    f"{Header.TRACE_ID}: %s\r\n"
)
"""What a connection's calls have in common goes first: an agent reads that once."""
_TENANT_ID = f"{Header.TENANT_ID}: %s\r\n"
_CLIENT_CONTEXT = f"{Header.CLIENT_CONTEXT}: %s\r\n"
_LOG_TAIL = f"{Header.LOG_TAIL}: 1\r\n"
_STREAM = f"{Header.STREAM}: 1\r\n"
# As a connection keeps names.
_FUNCTION_ERROR, _TAIL = Header.FUNCTION_ERROR.key, Header.LOG_TAIL.key
_ERROR_DOCUMENT = Header.ERROR_DOCUMENT.key
_REPORT, _STATE = Header.REPORT.key, Header.ENVIRONMENT_STATE.key
_INITIALISED = Header.INITIALISED.key
_USUAL = re.compile(
    b"HTTP/1.1 200 OK\r\nContent-Type: ([^\r]*)\r\n%b: %b\r\n%b: (\\w+)\r\n%b: now\r\n"
    b"Content-Length: \\d+"
    % (
        Header.REPORT.encode(),
        ENCODED,
        Header.ENVIRONMENT_STATE.encode(),
        Header.FREE.encode(),
    )
)
"""The head of nearly every answer, which is read in one step; any other means the same."""
# A member of an enum is looked up by Python code.
_OK = HTTPStatus.OK.value
_INVOKE, _ENDED = Path.INVOKE.value, State.ENDED.value
_ENDED_STATE = _ENDED.encode()


def _nothing() -> None:
    """Tell nobody."""


@dataclass(slots=True)  # a frozen one takes 1.6 µs to make, not 0.3, and every call makes one
class Invocation:
    """What a caller wants run; nobody changes it."""

    request_id: str
    function_arn: str
    """As it was invoked, with its qualifier."""
    trace_id: str
    event: bytes
    content_type: str = _JSON
    client_context: str = ""
    """Base64, as it came."""
    tenant_id: str = ""
    """Whose it is, of a function that isolates its tenants."""
    log_tail: bool = False
    stream: bool = False
    """Whether the answer may come as the function writes it."""
    began: Callable[[], None] = _nothing
    """To be called once it has an environment: until then it costs nothing but its place."""


@dataclass(slots=True)
class Answer:
    """What came back; the body is either whole or still coming.

    Where the function still writes it, what is said of it is known at its end.
    """

    body: bytes | AsyncIterator[bytes]
    length: int
    """`ENDLESS` where the function still writes."""
    content_type: str = _JSON
    function_error: str | None = None
    error_document: bytes = b""
    """Of a function that failed while its answer was being sent."""
    log_tail: str | None = None
    """Base64."""
    report: Report | None = None
    environment_ended: bool = False
    """Whether the environment that gave it takes no other invocation."""
    initialised: bool = True
    """Whether the function could be initialised for the invocation, if it had to be."""
    version: str = ""
    """That ran: `$LATEST` or a number; whoever resolved it says so."""
    release: Callable[[], None] = lambda: None
    """To be called once nobody needs the body any more, read or not: it may take up room."""

    @property
    def streams(self) -> bool:
        """Whether the function still writes it."""
        return self.length == ENDLESS

    def tell(self, headers: Mapping[str, str]) -> None:
        """Note what an agent says of the answer: before its body, or after one that streams."""
        self.function_error = headers.get(_FUNCTION_ERROR)
        if document := headers.get(_ERROR_DOCUMENT):
            self.error_document = base64.b64decode(document)
        self.log_tail = headers.get(_TAIL)
        report = headers.get(_REPORT)
        self.report = Report.decode(report) if report else None
        self.environment_ended = headers.get(_STATE) == _ENDED
        self.initialised = headers.get(_INITIALISED) != "no"

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raises ConnectionLostError in its middle."""
        if isinstance(self.body, bytes):
            yield self.body
            return
        async for piece in self.body:
            yield piece

    async def read(self) -> bytes:
        """Return the whole body and release it; it can be read once. Raises ConnectionLostError."""
        try:
            return await self.hold()
        finally:
            self.release()

    async def hold(self) -> bytes:
        """Return the whole body, which stays in memory until whoever asked calls `release`."""
        if isinstance(self.body, bytes):
            return self.body
        return b"".join([piece async for piece in self.pieces()])


class Permit(NamedTuple):
    """By what right an environment is invoked, and until when it may begin."""

    token: str
    environment: str
    lease: str
    """GATEWAY/EPOCH."""
    deadline_ms: int
    """Epoch milliseconds."""


async def invoke(connection: AgentConnection, invocation: Invocation, permit: Permit) -> Answer:
    """Run an invocation in an environment of the agent's pod.

    Raises NotStartedError where it has not begun, ConnectionLostError where it may have, and
    AgentFailedError for an answer that tells neither.
    """
    answer = await connection.exchange(_request(invocation, permit))
    if answer.status == _OK:
        return await _read(connection, answer)
    refusal = Refusal.parse(answer.status, await connection.read())
    if refusal.not_begun:
        raise NotStartedError(str(refusal))
    raise AgentFailedError(f"an agent answered an invocation with {answer.status} {refusal}")


def _request(invocation: Invocation, permit: Permit) -> Request:
    fields = _FIELDS % (
        permit.environment,
        permit.lease,
        invocation.function_arn,
        invocation.content_type,
        permit.deadline_ms,
        invocation.request_id,
        invocation.trace_id,
    )
    if invocation.tenant_id:
        fields += _TENANT_ID % invocation.tenant_id
    if invocation.client_context:
        fields += _CLIENT_CONTEXT % invocation.client_context
    if invocation.log_tail:
        fields += _LOG_TAIL
    if invocation.stream:
        fields += _STREAM
    return Request("POST", _INVOKE, permit.token, invocation.event, fields)


async def _read_usual(
    connection: AgentConnection, came: AgentAnswer, said: Sequence[bytes]
) -> Answer:
    content_type, *report, state = said
    return Answer(
        await connection.read(),
        came.length,
        content_type.decode("latin-1"),
        report=Report.of_match(report),
        environment_ended=state == _ENDED_STATE,
    )


async def _read(connection: AgentConnection, came: AgentAnswer) -> Answer:
    if came.length <= SMALL and (usual := _USUAL.fullmatch(came.head)):
        return await _read_usual(connection, came, usual.groups())
    answer = Answer(b"", came.length, came.headers.get("content-type", _JSON))
    if answer.streams:
        answer.body = Chunks(connection, answer.tell)
        return answer
    answer.tell(came.headers)
    answer.body = connection.stream()
    if came.length <= SMALL:
        answer.body = await connection.read()
    return answer
