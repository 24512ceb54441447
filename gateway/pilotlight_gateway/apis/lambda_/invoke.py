"""`Invoke` and the older `InvokeAsync`: a request into an invocation, its answer into headers.

AWS Lambda API reference, "Invoke"; limits and texts in lambda.md 1.2 and 1.4. `invocation.invoker`
runs it, or keeps it as an event.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, NoReturn

import orjson

from pilotlight_gateway.errors import (
    InvalidRequestContentError,
    NotSupportedError,
    RequestTooLargeError,
)
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.invocation.invocation import (
    LARGEST_ASYNC_EVENT,
    LARGEST_EVENT,
    Answer,
    Invocation,
)
from pilotlight_gateway.invocation.lineage import continue_trace

from .inputs import check_head
from .model import load_model

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.invocation.reference import Reference
    from pilotlight_gateway.invocation.targets import Target
    from pilotlight_gateway.services import Services

__all__ = [
    "LARGEST_EVENT",
    "LARGEST_OLD_EVENT",
    "invocation_type",
    "invoke",
    "invoke_async",
    "read_invocation",
    "trace_root",
]

LARGEST_OLD_EVENT = 262_144
"""Bytes of an event of InvokeAsync."""
LONGEST_CLIENT_CONTEXT = 3583
MOST_OPENED = 500
"""Brackets of an event that cannot nest too deep for any reader."""
_TYPES = ("Event", "RequestResponse", "DryRun")
_LOG_TYPE = "X-Amz-Log-Type"
_TENANT_ID = "X-Amz-Tenant-Id"


async def invoke(services: Services, call: Call) -> Reply:
    """Run a function and answer what it answered, or 202 once its event is on disk.

    Function errors are 200 with `X-Amz-Function-Error`; raises ApiError and PilotlightError.
    """
    kind = invocation_type(call, _TYPES)
    reference = call.function
    target = call.target or await services.targets.find(reference)
    invocation = read_invocation(call, reference)
    if kind == "DryRun":
        target.check_tenant(invocation.tenant_id)
        return Reply(204)
    if kind == "Event":
        return await _enqueue(services, reference, invocation, target)
    answer = await services.invoker.invoke(reference, invocation, target)
    return _reply(answer, invocation)


async def invoke_async(services: Services, call: Call) -> Reply:
    """Accept an event as clients of 2014 send it (AWS Lambda API reference, "InvokeAsync")."""
    reference = call.function
    reply = await _enqueue(services, reference, read_invocation(call, reference), call.target)
    reply.body = b'{"Status":202}'
    return reply


async def _enqueue(
    services: Services, reference: Reference, invocation: Invocation, target: Target | None = None
) -> Reply:
    size = len(invocation.event)
    if size > LARGEST_ASYNC_EVENT:
        raise RequestTooLargeError(
            f"{size} byte payload is too large for the Event invocation type "
            f"(limit {LARGEST_ASYNC_EVENT} bytes)"
        )
    await services.invoker.enqueue(reference, invocation, target)
    return Reply(202, headers={"X-Amzn-Trace-Id": trace_root(invocation)})


def invocation_type(call: Call, types: tuple[str, ...]) -> str:
    """Return how an invocation is wanted; raises ValidationError where a header is none of its own.

    That is judged before whether the function is there, as Lambda does.
    """
    kind = call.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if kind not in types:
        _refuse_head(call, "X-Amz-Invocation-Type")
    if call.headers.get(_LOG_TYPE, "None") not in {"None", "Tail"}:
        _refuse_head(call, _LOG_TYPE)
    _tenant_id(call)
    return kind


def read_invocation(call: Call, reference: Reference) -> Invocation:
    """Read what a caller wants run; raises ApiError."""
    _refuse_unsupported(call)
    return Invocation(
        request_id=call.request_id,
        function_arn=reference.arn,
        trace_id=continue_trace(call.headers.get("X-Amzn-Trace-Id", ""), reference),
        event=_event(call.body),
        client_context=_client_context(call.headers.get("X-Amz-Client-Context", "")),
        tenant_id=_tenant_id(call),
        log_tail=call.headers.get(_LOG_TYPE) == "Tail",
    )


def _refuse_head(call: Call, header: str) -> NoReturn:
    """Refuse a call for one of its headers, and say what else the model refuses of its head."""
    check_head(load_model(), call.operation, call.parameters, call.query, call.headers)
    raise NotSupportedError(f"{header} {call.headers[header]!r} is not supported yet.")


def _refuse_unsupported(call: Call) -> None:
    if (header := "X-Amz-Durable-Execution-Name") in call.headers:
        raise NotSupportedError(f"The header {header} is not supported yet.")


def _tenant_id(call: Call) -> str:
    """Return whose a call is; empty where it does not say."""
    text = call.headers.get(_TENANT_ID)
    if text is None:
        return ""
    shape = load_model().shapes["TenantId"]
    if len(text) > shape["max"] or re.fullmatch(shape["pattern"], text) is None:
        _refuse_head(call, _TENANT_ID)
    return text


def _event(body: bytes) -> bytes:
    if not body:
        return b"{}"
    if _is_json(body):
        return body
    try:  # as slow as it is, its words are Lambda's
        _decoder.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequestContentError(
            f"Could not parse request body into json: {error}"
        ) from error
    return body


def _is_json(body: bytes) -> bool:
    """Whether a body is JSON for sure: neither deep, nor anything that parsers differ about."""
    if body.count(b"[") + body.count(b"{") > MOST_OPENED:
        return False
    try:
        orjson.loads(body)
    except ValueError:
        return False
    return True


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"Unrecognized token '{text}': was expecting a JSON value")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def _client_context(text: str) -> str:
    if not text:
        return ""
    if len(text) > LONGEST_CLIENT_CONTEXT:
        raise InvalidRequestContentError(
            f"Client context must be at most {LONGEST_CLIENT_CONTEXT} bytes of Base64, "
            f"{len(text)} came."
        )
    try:
        decoded = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidRequestContentError(
            "Client context must be a valid Base64-encoded JSON object."
        ) from error
    if not isinstance(decoded, dict):
        raise InvalidRequestContentError(
            "Client context must be a valid Base64-encoded JSON object."
        )
    return text


def _reply(answer: Answer, invocation: Invocation) -> Reply:
    headers = {
        "X-Amz-Executed-Version": answer.version,
        "X-Amzn-Trace-Id": trace_root(invocation),
    }
    if answer.function_error:
        headers["X-Amz-Function-Error"] = answer.function_error
    if invocation.log_tail and answer.log_tail is not None:
        headers["X-Amz-Log-Result"] = answer.log_tail
    return Reply(200, answer.body, length=answer.length, headers=headers, release=answer.release)


def trace_root(invocation: Invocation) -> str:
    """Return what a caller is told of the trace."""
    return invocation.trace_id.partition(";")[0]
