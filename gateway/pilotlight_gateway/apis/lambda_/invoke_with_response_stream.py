"""`InvokeWithResponseStream`: an answer while the function writes it, in frames.

AWS Lambda API reference, "InvokeWithResponseStream". A function that does not stream is answered in
the same frames. What went wrong is said in the last one, whenever it did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pilotlight.errors import ConnectionLostError
from pilotlight_gateway.event_stream import CONTENT_TYPE, bytes_frame, event_frame
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.invocation.invocation import STREAM_SECONDS

from .invoke import invocation_type, read_invocation, trace_root

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.invocation.invocation import Answer
    from pilotlight_gateway.services import Services

__all__ = ["invoke_with_response_stream"]

_TYPES = ("RequestResponse", "DryRun")


async def invoke_with_response_stream(services: Services, call: Call) -> Reply:
    """Run a function and send its answer as it comes; raises ApiError and PilotlightError."""
    kind = invocation_type(call, _TYPES)
    reference = call.function
    target = call.target or await services.targets.find(reference)
    invocation = replace(read_invocation(call, reference), stream=True)
    if kind == "DryRun":
        target.check_tenant(invocation.tenant_id)
        return Reply(204)
    answer = await services.invoker.invoke(reference, invocation, target)
    headers = {
        "X-Amz-Executed-Version": answer.version,
        "X-Amzn-Trace-Id": trace_root(invocation),
    }
    return Reply(
        200,
        _frames(answer),
        headers=headers,
        content_type=CONTENT_TYPE,
        release=answer.release,
        seconds=STREAM_SECONDS,
    )


async def _frames(answer: Answer) -> AsyncIterator[bytes]:
    if answer.function_error is not None:  # known before, so that the body is its document
        answer.error_document = await answer.hold()
    else:
        async for piece in _pieces(answer):
            if piece:
                yield bytes_frame("PayloadChunk", piece)
    yield event_frame("InvokeComplete", _completion(answer))


async def _pieces(answer: Answer) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.pieces():
            yield piece
    except ConnectionLostError:
        if answer.function_error is None:  # it came from a function that had ended well
            raise


def _completion(answer: Answer) -> dict[str, str]:
    said: dict[str, str] = {}
    if answer.function_error is not None:
        said["ErrorCode"] = answer.function_error
        said["ErrorDetails"] = answer.error_document.decode(errors="replace")
    if answer.log_tail is not None:
        said["LogResult"] = answer.log_tail
    return said
