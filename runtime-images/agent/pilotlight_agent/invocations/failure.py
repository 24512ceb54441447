"""What a caller reads when an invocation fails: Lambda's own types and words.

Source: AWS Lambda Developer Guide, "Understanding retry behavior" and the runtime interface
emulator's answers; the texts are a contract that clients match on.
"""

import json
import re
import signal
from dataclasses import dataclass
from enum import StrEnum

from pilotlight_agent.errors import NotStartableError
from pilotlight_wire.protocol import RESPONSE_LIMIT

_ERROR_TYPE = re.compile(r"(?:Runtime|Function)\.[A-Za-z][\w.]*", re.ASCII)


class Status(StrEnum):
    """How an invocation ended, as the report says it."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASH = "crash"
    MEMORY = "memory"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of an invocation or an initialisation that the function did not answer itself.

    `error_type` is what the caller reads, `cause` what the report says, `body` the answer.
    """

    status: Status
    error_type: str
    body: bytes
    message: str = ""
    cause: str = ""
    at_init: bool = False
    """Whether the function did not come to its handler, for it could not be initialised."""

    @property
    def reported_type(self) -> str:
        """The error type for the REPORT line."""
        return self.cause or self.error_type


def timed_out(request_id: str, seconds: int) -> Failure:
    """Describe an invocation that outlasted the function's timeout."""
    text = f"Task timed out after {seconds:.2f} seconds"
    message = f"RequestId: {request_id} Error: {text}"
    body = _body("Sandbox.Timedout", message)
    return Failure(Status.TIMEOUT, "Sandbox.Timedout", body, text)


def exited(request_id: str, code: int) -> Failure:
    """Describe a runtime that ended; `code` is negative for a signal."""
    return _exit_error(Status.CRASH, request_id, _reason(code))


def out_of_memory(request_id: str) -> Failure:
    """Describe a runtime killed because the environment used more than the function's memory."""
    reason = f"Runtime exited with error: {_reason_of_signal(signal.SIGKILL)}"
    return _exit_error(Status.MEMORY, request_id, reason, "Runtime.OutOfMemory")


def out_of_storage(request_id: str, megabytes: int) -> Failure:
    """Describe a runtime killed because more is in /tmp than the function's ephemeral storage."""
    reason = f"No space left on device: /tmp holds more than {megabytes} MB"
    return _exit_error(Status.STORAGE, request_id, reason, "Runtime.OutOfStorage")


def of_extension(error_type: str, reason: str, request_id: str) -> Failure:
    """Describe an extension that broke; `error_type` is one of Lambda's `Extension.…`."""
    message = f"RequestId: {request_id} Error: {reason}"
    return Failure(Status.CRASH, error_type, _body(error_type, message), message)


def exit_reason(code: int) -> str:
    """Say how a process ended; `code` is negative for a signal."""
    return f"exit status {code}" if code >= 0 else _reason_of_signal(-code)


def not_startable(request_id: str, error: NotStartableError) -> Failure:
    """Describe a runtime, or an extension, that cannot be started at all."""
    message = f"RequestId: {request_id} Error: {error}"
    return Failure(Status.ERROR, error.kind, _body(error.kind, message), message)


def too_large(limit: int = RESPONSE_LIMIT) -> Failure:
    """Describe an answer over Lambda's limit, in bytes."""
    kind = "Function.ResponseSizeTooLarge"
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    return Failure(Status.ERROR, kind, _body(kind, message), message)


def truncated(request_id: str) -> Failure:
    """Describe an answer whose bytes ended before its end."""
    kind = "Runtime.TruncatedResponse"
    message = f"RequestId: {request_id} Error: Response from the runtime was truncated"
    return Failure(Status.ERROR, kind, _body(kind, message), message)


def by_function(error_type: str, body: bytes) -> Failure:
    """Describe an error that the function or its runtime reported itself.

    Reports name only types of Lambda's own two families; the caller reads the function's document.
    """
    known = _ERROR_TYPE.fullmatch(error_type) is not None
    return Failure(Status.ERROR, error_type if known else "Runtime.Unknown", body)


def _exit_error(status: Status, request_id: str, reason: str, cause: str = "") -> Failure:
    message = f"RequestId: {request_id} Error: {reason}"
    kind = "Runtime.ExitError"
    return Failure(status, kind, _body(kind, message), message, cause)


def _body(error_type: str, message: str) -> bytes:
    return json.dumps(
        {"errorType": error_type, "errorMessage": message}, separators=(",", ":")
    ).encode()


def _reason(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    how = f"exit status {code}" if code > 0 else _reason_of_signal(-code)
    return f"Runtime exited with error: {how}"


def _reason_of_signal(number: int) -> str:
    return f"signal: {(signal.strsignal(number) or str(number)).lower()}"
