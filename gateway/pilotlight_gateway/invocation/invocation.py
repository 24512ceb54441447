"""An invocation on its way to the agent, and the answer on its way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.agent.protocol import Report

__all__ = ["LARGEST_EVENT", "Answer", "Invocation", "crash_answer"]

LARGEST_EVENT = 6_291_456
"""Bytes of an event whose answer is waited for."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a caller wants run."""

    request_id: str
    function_arn: str
    """As it was invoked, with its qualifier."""
    trace_id: str
    event: bytes
    content_type: str = "application/json"
    client_context: str = ""
    """Base64, as it came."""
    log_tail: bool = False

    def head(self, host: str, token: str, environment: str, lease: str, deadline_ms: int) -> bytes:
        """Give the head of the request to the agent (design, "Gateway to agent")."""
        optional = ""
        if self.client_context:
            optional += f"Pilotlight-Client-Context: {self.client_context}\r\n"
        if self.log_tail:
            optional += "Pilotlight-Log-Tail: 1\r\n"
        return (
            "POST /v1/invoke HTTP/1.1\r\n"
            f"Host: {host}\r\n"
            f"Authorization: Bearer {token}\r\n"
            f"Pilotlight-Environment: {environment}\r\n"
            f"Pilotlight-Lease: {lease}\r\n"
            f"Pilotlight-Request-Id: {self.request_id}\r\n"
            f"Pilotlight-Deadline-Ms: {deadline_ms}\r\n"
            f"Pilotlight-Function-Arn: {self.function_arn}\r\n"
            f"Pilotlight-Trace-Id: {self.trace_id}\r\n"
            f"Content-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.event)}\r\n"
            f"{optional}\r\n"
        ).encode("latin-1")


@dataclass(slots=True)
class Answer:
    """What came back; the body is either whole or still coming."""

    body: bytes | AsyncIterator[bytes]
    length: int
    function_error: str | None = None
    log_tail: str | None = None
    """Base64."""
    report: Report | None = None
    version: str = ""
    """That ran: `$LATEST` or a number."""

    async def read(self) -> bytes:
        """Return the whole body, which can be read once; raises ConnectionLostError."""
        if isinstance(self.body, bytes):
            return self.body
        return b"".join([piece async for piece in self.body])


def crash_answer(request_id: str) -> Answer:
    """Answer for an environment whose pod went away while it ran the invocation.

    The request had been written, so it is not sent anywhere else: at most one execution.
    """
    body = (
        f'{{"errorType":"Runtime.ExitError","errorMessage":"RequestId: {request_id} '
        'Error: Runtime exited without providing a reason"}'
    ).encode()
    return Answer(body, len(body), function_error="Unhandled")
