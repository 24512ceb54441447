"""One invocation on its way through the agent: what comes in, and what goes back."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pilotlight_wire.protocol import Error

from .failure import Failure
from .report import Report

_TAIL_BYTES = 4_096


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


@dataclass(slots=True)
class Invocation:
    """An event for the function.

    `start_by` is epoch milliseconds, 0 for no limit; `client_context` and `cognito_identity` are
    JSON texts, empty when there are none. `reply` is called once. The rest is the environment's
    account: `began` is loop time, None while the function's clock does not run yet.
    """

    request_id: str
    event: bytes
    content_type: str
    function_arn: str
    trace_id: str
    client_context: str
    cognito_identity: str
    start_by: int
    reply: Callable[[Answer | Refusal], None]
    tail: bytearray | None = None
    began: float | None = None
    announced: bool = False
    deadline: int = 0
    """Epoch milliseconds at which the function times out."""

    def log(self, lines: Sequence[str]) -> None:
        """Keep lines for the log tail, if the caller wants it."""
        if self.tail is not None:
            for line in lines:
                self.tail += line.encode() + b"\n"
            del self.tail[:-_TAIL_BYTES]

    def encoded_tail(self) -> bytes | None:
        """Return the last 4 KB of the invocation's log in base64, or None if nobody asked."""
        return None if self.tail is None else base64.b64encode(self.tail)
