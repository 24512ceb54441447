"""An invocation as every way into a gateway makes it, and the answer on its way back.

What the agent is told of it is `pilotlight.agent.invoke`.
"""

from __future__ import annotations

from pilotlight.agent.invoke import Answer, Invocation

__all__ = [
    "LARGEST_ASYNC_EVENT",
    "LARGEST_EVENT",
    "STREAM_SECONDS",
    "Answer",
    "Invocation",
    "crash_answer",
    "crash_document",
]

LARGEST_EVENT = 6_291_456
"""Bytes of an event whose answer is waited for."""
LARGEST_ASYNC_EVENT = 1_048_576
"""Bytes of an event that is queued."""
STREAM_SECONDS = 1200.0
"""In which a client must have read an answer while its function writes it: as long as that may, and
a while longer."""


def crash_answer(request_id: str) -> Answer:
    """Answer for an environment whose pod went away while it ran the invocation.

    The request had been written, so it is not sent anywhere else: at most one execution.
    """
    body = crash_document(request_id)
    return Answer(body, len(body), function_error="Unhandled")


def crash_document(request_id: str) -> bytes:
    """Return what is said of it."""
    return (
        f'{{"errorType":"Runtime.ExitError","errorMessage":"RequestId: {request_id} '
        'Error: Runtime exited without providing a reason"}'
    ).encode()
