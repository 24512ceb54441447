"""Log lines as `pilotlight dev` shows them: one line a call, beside what the function wrote itself.

Both of Lambda's log formats are understood (AWS Lambda Developer Guide, "Lambda function logs").
"""

from __future__ import annotations

import functools
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pilotlight.storage import LogLine

__all__ = ["Brief"]

SHORT_ID = 8
_REPORT = re.compile(r"REPORT RequestId: \S+\tDuration: ([\d.]+) ms")
_INIT_REPORT = re.compile(r"INIT_REPORT Init Duration: ([\d.]+) ms.*?Status: (\w+)")
_RAISED = re.compile(r"\[ERROR\] \S|\{.*\"errorType\": ")
"""How the runtime words what the function raised; a logger puts a tab behind its level."""
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")
_STATUS = re.compile(r"Status: (\w+)")
_SILENT = ("START RequestId: ", "END RequestId: ")
_PLATFORM = re.compile(r'"type": ?"platform\.')


class Brief:
    """Shows line after line; a call that raised is known by the lines before its report."""

    def __init__(self) -> None:
        self._raised: set[str] = set()
        """Request ids of calls that have no report yet."""

    def show(self, line: LogLine) -> str | None:
        """Show a line, in short where the platform wrote it; None where it says nothing new."""
        said = self._said(line.request_id, line.message)
        if said is None:
            return None
        call = line.request_id[:SHORT_ID] or "-" * SHORT_ID
        return f"{_clock(int(line.time))} {line.function} {call} {said}"

    def _said(self, request_id: str, message: str) -> str | None:
        if message.startswith(_SILENT):
            return None
        if (event := _platform_event(message)) is not None:
            return self._of_event(request_id, event)
        if (failed := _INIT_REPORT.match(message)) is not None:
            return _init(failed[1], failed[2])
        if (report := _REPORT.match(message)) is not None:
            init, status = _INIT.search(message), _STATUS.search(message)
            said = status[1] if status else "success"
            return self._call(request_id, report[1], init and init[1], said)
        if _RAISED.match(message):
            self._raised.add(request_id)
        # Lambda's runtimes separate the lines of one record by carriage returns.
        return "| " + message.rstrip().replace("\r", "\n")

    def _of_event(self, request_id: str, event: dict[str, Any]) -> str | None:
        match event["record"]:
            case {"metrics": {"durationMs": duration} as metrics, "status": str(status)}:
                if event["type"] == "platform.initReport":
                    return _init(duration, status)
                return self._call(request_id, duration, metrics.get("initDurationMs"), status)
        return None

    def _call(self, request_id: str, milliseconds: str, init: str | None, status: str) -> str:
        start = f"cold, init {init} ms" if init else "warm"
        if request_id in self._raised and status == "success":
            status = "error"
        self._raised.discard(request_id)
        return f"{_mark(status)}{milliseconds} ms ({start})"


@functools.lru_cache(maxsize=4)
def _clock(second: int) -> str:
    """Return the person's own time, as in the rest of the terminal."""
    return datetime.fromtimestamp(second).astimezone().strftime("%H:%M:%S")


def _platform_event(message: str) -> dict[str, Any] | None:
    """Read an event of the JSON format; None where the function wrote what only looks like one."""
    if not message.startswith("{") or _PLATFORM.search(message) is None:
        return None
    try:
        event = json.loads(message)
    except (ValueError, RecursionError):
        return None
    match event:
        case {"type": str(kind), "record": {}} if kind.startswith("platform."):
            return dict(event)
    return None


def _init(milliseconds: str, status: str) -> str:
    return f"{_mark(f'init {status}')}{milliseconds} ms"


def _mark(status: str) -> str:
    return "" if status == "success" else click.style(status, fg="red") + " "
