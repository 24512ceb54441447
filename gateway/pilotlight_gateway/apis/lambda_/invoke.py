"""`Invoke`: checks a request, hands it to the dispatcher, and says the answer in Lambda's headers.

AWS Lambda API reference, "Invoke"; limits and texts in lambda.md 1.2 and 1.4.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from typing import TYPE_CHECKING, NoReturn

from pilotlight.errors import RevisionGoneError, ThrottledError
from pilotlight_gateway.errors import (
    InvalidRequestContentError,
    NotSupportedError,
    ResourceConflictError,
    ValidationError,
)
from pilotlight_gateway.events.acceptance import accept
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.identifiers import new_trace_id
from pilotlight_gateway.invocation.invocation import Answer, Invocation
from pilotlight_gateway.invocation.lineage import count_hop, refuse_loop
from pilotlight_gateway.invocation.reference import Reference, resolve
from pilotlight_gateway.invocation.targets import Target, find_target

if TYPE_CHECKING:
    from pilotlight.resources import Function
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["LARGEST_EVENT", "LARGEST_OLD_EVENT", "invoke", "invoke_async", "run"]

LARGEST_EVENT = 6_291_456
LARGEST_OLD_EVENT = 262_144
"""Bytes of an event of InvokeAsync."""
LONGEST_CLIENT_CONTEXT = 3583
UPDATE_SECONDS = 30.0
"""How long an invocation may wait for the revision that replaces the one it met."""
_ACTION = "InvokeFunction"
"""What IAM calls both operations (Service Authorization Reference, "AWS Lambda")."""
_TYPES = ("Event", "RequestResponse", "DryRun")
_TRACE_ROOT = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
_ENUM = (
    "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
    "Member must satisfy enum value set: [{wanted}]"
)


async def invoke(services: Services, call: Call) -> Reply:
    """Run a function and give its answer.

    Function errors are 200 with `X-Amz-Function-Error`; raises ApiError and PilotlightError.
    """
    kind = _invocation_type(call)
    reference = resolve(
        call.parameters["FunctionName"],
        call.caller,
        services.settings.region,
        _ACTION,
        call.query.get("Qualifier"),
    )
    target = await find_target(services, reference)
    invocation = _invocation(call, reference)
    if kind == "DryRun":
        return Reply(204)
    if kind == "Event":
        return await accept(services, reference, invocation)
    refuse_loop(invocation.trace_id, reference.unqualified_arn)
    target, answer = await run(services, reference, target, invocation)
    return _reply(answer, invocation, target.version)


async def invoke_async(services: Services, call: Call) -> Reply:
    """Accept an event as clients of 2014 send it (AWS Lambda API reference, "InvokeAsync")."""
    reference = resolve(
        call.parameters["FunctionName"], call.caller, services.settings.region, _ACTION
    )
    reply = await accept(services, reference, _invocation(call, reference))
    reply.body = b'{"Status":202}'
    return reply


async def run(
    services: Services, reference: Reference, target: Target, invocation: Invocation
) -> tuple[Target, Answer]:
    """Run an invocation and count it; gives its answer and what it ran.

    Where the target was replaced meanwhile, that is what the reference means by then. Raises
    ApiError and PilotlightError.
    """
    started = time.monotonic()
    deadline = started + UPDATE_SECONDS
    while True:
        if target.revision is None:
            _refuse_not_ready(target.function, reference)
        labels = (reference.namespace, reference.name, target.version)
        try:
            answer = await services.dispatcher.invoke(target.revision, invocation)
        except RevisionGoneError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            await services.catalogue.wait_for_change(target.function, seconds=min(left, 1.0))
            target = await find_target(services, reference)
        except ThrottledError as error:
            services.metrics.throttled(*labels, error.reason)
            raise
        else:
            failed = answer.function_error is not None
            elapsed = time.monotonic() - started
            services.metrics.of(*labels).answered(answer.report, failed=failed, elapsed=elapsed)
            return target, answer


def _refuse_not_ready(function: Function, reference: Reference) -> NoReturn:
    state = function.status.state
    raise ResourceConflictError(
        "The operation cannot be performed at this time. The function is currently in the "
        f"following state: {state}"
        + (f" ({function.status.state_reason})" if function.status.state_reason else "")
        + f": {reference.unqualified_arn}"
    )


def _invocation_type(call: Call) -> str:
    kind = call.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if kind not in _TYPES:
        raise ValidationError(
            _ENUM.format(value=kind, name="invocationType", wanted=", ".join(_TYPES))
        )
    return kind


def _invocation(call: Call, reference: Reference) -> Invocation:
    log_type = call.headers.get("X-Amz-Log-Type", "None")
    if log_type not in {"None", "Tail"}:
        raise ValidationError(_ENUM.format(value=log_type, name="logType", wanted="None, Tail"))
    _refuse_unsupported(call)
    return Invocation(
        request_id=call.request_id,
        function_arn=reference.arn,
        trace_id=_trace_id(call.headers.get("X-Amzn-Trace-Id", ""), reference),
        event=_event(call.body),
        client_context=_client_context(call.headers.get("X-Amz-Client-Context", "")),
        log_tail=log_type == "Tail",
    )


def _refuse_unsupported(call: Call) -> None:
    for header in ("X-Amz-Tenant-Id", "X-Amz-Durable-Execution-Name"):
        if header in call.headers:
            raise NotSupportedError(f"The header {header} is not supported yet.")


def _event(body: bytes) -> bytes:
    if not body:
        return b"{}"
    try:
        _decoder.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequestContentError(
            f"Could not parse request body into json: {error}"
        ) from error
    return body


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
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestContentError(
            "Client context must be a valid Base64-encoded JSON object."
        ) from error
    if not isinstance(decoded, dict):
        raise InvalidRequestContentError(
            "Client context must be a valid Base64-encoded JSON object."
        )
    return text


def _trace_id(header: str, reference: Reference) -> str:
    if _TRACE_ROOT.match(header) and header.isascii() and header.isprintable():
        return count_hop(header, reference.unqualified_arn)
    return new_trace_id()


def _reply(answer: Answer, invocation: Invocation, version: str) -> Reply:
    headers = {
        "X-Amz-Executed-Version": version,
        "X-Amzn-Trace-Id": invocation.trace_id.partition(";")[0],
    }
    if answer.function_error:
        headers["X-Amz-Function-Error"] = answer.function_error
    if invocation.log_tail and answer.log_tail is not None:
        headers["X-Amz-Log-Result"] = answer.log_tail
    return Reply(200, answer.body, length=answer.length, headers=headers)
