"""The life of a managed Python runtime: load the handler, then one event after the other.

`handler`, `context`, `marshalling` and `fault` say what happens at each step; what the process
prints goes to the agent by standard output, what it answers by the `channel`.
"""

import gc
import json
import os
import sys
from typing import NoReturn

from pilotlight_python import fault, handler, marshalling
from pilotlight_python.channel import Channel, Event
from pilotlight_python.context import LambdaContext
from pilotlight_python.fault import FaultError
from pilotlight_python.handler import Handler
from pilotlight_python.logs import FunctionLog

_JSON = "application/json"


def serve(descriptor: int) -> None:
    """Serve events from the channel until the agent closes it."""
    channel, log = Channel(descriptor), FunctionLog()
    log.install()
    try:
        function = handler.load(os.environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001 -- the function's code may raise anything
        _fail_init(channel, log, error)
    gc.freeze()  # what is loaded now stays: no collection needs to look at it again
    channel.send_ready()
    while (event := channel.receive()) is not None:
        log.enter(event.request_id, event.tenant_id)
        _set_trace(event.trace_id)
        _answer(channel, log, function, event)


def _answer(channel: Channel, log: FunctionLog, function: Handler, event: Event) -> None:
    try:
        content_type, body = _run(function, event)
    except Exception as error:  # noqa: BLE001 -- the function's code may raise anything
        report = fault.describe(error, event.request_id)
        log.write_error(report)
        document = marshalling.encode(report.document())
        channel.send_error(event.request_id, report.error_type, document)
    else:
        channel.send_answer(event.request_id, content_type, body)


def _run(function: Handler, event: Event) -> tuple[str, bytes]:
    context = LambdaContext(event)
    return _marshal(function(_unmarshal(event), context))


def _unmarshal(event: Event) -> object:
    if event.content_type != _JSON:
        return event.body
    try:
        return json.loads(event.body)
    except ValueError as error:
        raise FaultError("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _marshal(answer: object) -> tuple[str, bytes]:
    """Return content type and bytes of an answer."""
    if isinstance(answer, bytes):
        return "application/unknown", answer
    try:
        return _JSON, marshalling.encode(answer).encode()
    except Exception as error:
        raise FaultError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _fail_init(channel: Channel, log: FunctionLog, error: Exception) -> NoReturn:
    report = fault.describe(error)
    log.write_error(report)
    channel.send_init_error(report.error_type, marshalling.encode(report.document()))
    sys.exit(1)


def _set_trace(trace_id: str) -> None:
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
