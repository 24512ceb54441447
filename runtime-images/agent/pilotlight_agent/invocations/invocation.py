"""One invocation on its way through the agent: what comes in, and what goes back."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pilotlight_wire.protocol import RESPONSE_LIMIT, Error

from .failure import Failure, too_large
from .report import Report

_TAIL_BYTES = 4_096
_JSON = "application/json"


class Refusal(NamedTuple):
    """The function's answer will not come; the error says whether it had begun."""

    error: Error
    message: str


class Result(NamedTuple):
    """What a runtime answered: a body, or the failure that it reported."""

    body: bytes
    content_type: str
    failure: Failure | None = None
    peak_kilobytes: int | None = None


class Answer(NamedTuple):
    """What goes back to the gateway."""

    result: Result
    report: Report
    tail: bytes | None
    state: str


class Stream(Protocol):
    """Takes an answer piece by piece (`answer_stream`)."""

    @property
    def full(self) -> bool:
        """Whether there is no room for more yet."""

    def wait_for_room(self, on_room: Callable[[], None]) -> None:
        """Call `on_room` once there is room again."""

    def write(self, piece: bytes, content_type: str) -> None:
        """Pass a piece on."""


@dataclass(slots=True)
class Invocation:
    """An event for the function.

    `start_by` is epoch milliseconds, 0 for no limit; `client_context` and `cognito_identity` are
    JSON texts, empty when there are none. `reply` is called once; with a `stream` pieces of the
    answer may go before it. The rest is the environment's account: `began` is loop time, None while
    the function's clock does not run yet.
    """

    request_id: str
    event: bytes
    content_type: str
    function_arn: str
    trace_id: str
    tenant_id: str
    client_context: str
    cognito_identity: str
    start_by: int
    reply: Callable[[Answer | Refusal], None]
    tail: bytearray | None = None
    stream: Stream | None = None
    began: float | None = None
    announced: bool = False
    deadline: int = 0
    """Epoch milliseconds at which the function times out."""
    on_begin: Callable[[], None] | None = None
    """Called when the function gets it, where that is later than its delivery."""
    _written: bytearray = field(default_factory=bytearray)
    """The pieces of an answer that is wanted whole."""

    def begin(self) -> None:
        """Note that the function has it."""
        if self.on_begin is not None:
            self.on_begin()

    def write(self, piece: bytes, content_type: str) -> None:
        """Take a piece of the answer."""
        if self.stream is not None:
            self.stream.write(piece, content_type)
        elif len(self._written) <= RESPONSE_LIMIT:
            self._written += piece

    def when_full(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Have whoever writes pause where there is no room, until there is."""
        if self.stream is not None and self.stream.full:
            pause()
            self.stream.wait_for_room(resume)

    def complete(self, result: Result) -> Result:
        """Put the pieces that came before in front of the end of the answer."""
        if result.failure is not None or not self._written:
            return result
        self._written += result.body
        if len(self._written) > RESPONSE_LIMIT:
            problem = too_large()
            return result._replace(body=problem.body, content_type=_JSON, failure=problem)
        return result._replace(body=bytes(self._written))

    def log(self, lines: Sequence[str]) -> None:
        """Keep lines for the log tail, if the caller wants it."""
        if self.tail is not None:
            for line in lines:
                self.tail += line.encode() + b"\n"
            del self.tail[:-_TAIL_BYTES]

    def encoded_tail(self) -> bytes | None:
        """Return the last 4 KB of the invocation's log in base64, or None if nobody asked."""
        return None if self.tail is None else base64.b64encode(self.tail)
