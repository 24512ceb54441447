"""Errors as Lambda's Python runtime reports them: one document, one log entry.

Source: the documents and log lines of awslambdaric, AWS's own runtime client, by observation; the
differential tests compare with it.
"""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pilotlight_python import marshalling

_HOME = str(Path(__file__).resolve().parent)
_LINE_END = "\r"  # keeps an error one log event
_INDENT = "\u00a0"  # log viewers trim plain spaces
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class FaultError(Exception):
    """An error that the runtime itself finds; `error_type` is one of Lambda's `Runtime.…`."""

    def __init__(self, error_type: str, message: str, stack: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.stack = list(stack)


@dataclass(frozen=True, slots=True)
class Report:
    """An error on its way to the caller and into the log."""

    message: str
    error_type: str
    stack: list[str]
    request_id: str

    def document(self) -> dict[str, object]:
        """Return what the caller reads."""
        return {
            "errorMessage": self.message,
            "errorType": self.error_type,
            "requestId": self.request_id,
            "stackTrace": self.stack,
        }

    def text_entry(self) -> str:
        """Return the log entry in text format, one line to any reader of lines."""
        message = f": {self.message}" if self.message else ""
        lines = [f"[ERROR] {self.error_type}{message}", "Traceback (most recent call last):"]
        for element in self.stack:
            lines += [_keep_indent(line) for line in element.splitlines()] or [""]
        return _LINE_END.join(lines) + "\n"

    def json_entry(self) -> str:
        """Return the log entry in JSON format."""
        stamp = {"timestamp": time.strftime(_TIME_FORMAT, time.gmtime()), "level": "ERROR"}
        return marshalling.encode(stamp | self.document()) + "\n"


def describe(error: Exception, request_id: str = "") -> Report:
    """Describe an error; frames of the runtime itself are not the function's business."""
    if isinstance(error, FaultError):
        return Report(str(error), error.error_type, error.stack, request_id)
    stack = traceback.format_list(_frames(error.__traceback__))
    return Report(str(error), type(error).__name__, stack, request_id)


def _frames(trace: TracebackType | None) -> list[tuple[str, int, str, str | None]]:
    """Return the frames from the function's first one on.

    As plain tuples, which leave out the marks below a line that newer Pythons add.
    """
    found = traceback.extract_tb(trace)
    start = next((i for i, frame in enumerate(found) if not frame.filename.startswith(_HOME)), 0)
    return [(f.filename, f.lineno or 0, f.name, f.line) for f in found[start:]]


def _keep_indent(line: str) -> str:
    text = line.lstrip(" ")
    return _INDENT * (len(line) - len(text)) + text
