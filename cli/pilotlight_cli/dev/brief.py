"""Log lines as `pilotlight dev` shows them: one line a call, beside what the function wrote itself.

Both of Lambda's log formats are understood (AWS Lambda Developer Guide, "Lambda function logs").
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.storage import LogLine

__all__ = ["brief"]

SHORT_ID = 8
_REPORT = re.compile(r"REPORT RequestId: \S+\tDuration: ([\d.]+) ms")
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")
_STATUS = re.compile(r"Status: (\w+)")
_SILENT = ("START RequestId: ", "END RequestId: ")
_PLATFORM = re.compile(r'"type": ?"platform\.')


def brief(line: LogLine) -> str | None:
    """Show a line, in short where the platform wrote it; None where it says nothing new."""
    said = _said(line.message)
    if said is None:
        return None
    # The person's own clock, as in the rest of the terminal.
    moment = datetime.fromtimestamp(line.time).astimezone().strftime("%H:%M:%S")
    return f"{moment} {line.function} {line.request_id[:SHORT_ID] or '-' * SHORT_ID} {said}"


def _said(message: str) -> str | None:
    if message.startswith(_SILENT):
        return None
    if _PLATFORM.search(message) and message.startswith("{"):
        return _platform_event(json.loads(message))
    report = _REPORT.match(message)
    if report is None:
        # Lambda's runtimes separate the lines of one record by carriage returns.
        return "| " + message.rstrip().replace("\r", "\n")
    init, status = _INIT.search(message), _STATUS.search(message)
    return _call(report[1], init and init[1], status[1] if status else "success")


def _platform_event(event: dict[str, dict[str, dict[str, str]]]) -> str | None:
    record = event["record"]
    if "metrics" not in record or "durationMs" not in record["metrics"]:
        return None
    metrics = record["metrics"]
    return _call(metrics["durationMs"], metrics.get("initDurationMs"), str(record.get("status")))


def _call(milliseconds: str, init: str | None, status: str) -> str:
    start = f"cold, init {init} ms" if init else "warm"
    failed = "" if status == "success" else f"{status} "
    return f"{failed}{milliseconds} ms ({start})"
