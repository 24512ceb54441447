"""The platform's own lines in a function's log: START, END, REPORT and INIT_REPORT.

Source: AWS Lambda Developer Guide, "Using CloudWatch logs with Lambda" for the text lines and
"Lambda Telemetry API Event schema reference" for the JSON records. Tools parse both.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from pilotlight_wire import report as wire

from .failure import Failure, Status

Record = dict[str, object]
"""What is told of a platform event."""


_ENDED = {Status.CRASH, Status.MEMORY, Status.STORAGE}
"""By the platform, or by themselves: an error, with a type that says why."""


class Level(IntEnum):
    """How much a platform line matters, and the least that is written.

    Source: AWS Lambda Developer Guide, "System log level event mapping".
    """

    DEBUG = 0
    INFO = 1
    WARN = 2


@dataclass(slots=True)
class Report:
    """The account of one invocation; durations in milliseconds, memory in MB."""

    request_id: str
    duration: float
    memory_size: int
    memory_used: int
    init_duration: float | None
    status: Status
    error_type: str = ""
    billed: int = field(init=False)
    """The duration rounded up to whole milliseconds."""

    def __post_init__(self) -> None:
        """Bill it."""
        self.billed = max(1, math.ceil(round(self.duration, 2)))

    def header(self) -> str:
        """Return the value of the answer's header."""
        return wire.Report(
            self.duration,
            self.billed,
            self.memory_size,
            self.memory_used,
            self.init_duration,
            self.status,
        ).encode()

    @property
    def level(self) -> Level:
        """Who is to hear of it: a success is worth less."""
        return Level.INFO if self.status is Status.SUCCESS else Level.WARN

    def line(self) -> str:
        """Return the REPORT line."""
        init = "" if self.init_duration is None else f"\tInit Duration: {self.init_duration:.2f} ms"
        return (
            f"REPORT RequestId: {self.request_id}\tDuration: {self.duration:.2f} ms"
            f"\tBilled Duration: {self.billed} ms\tMemory Size: {self.memory_size} MB"
            f"\tMax Memory Used: {self.memory_used} MB{init}"
            f"{'' if self.status is Status.SUCCESS else self._ending()}"
        )

    def record(self) -> dict[str, object]:
        """Return the record of `platform.report`."""
        metrics = {
            "durationMs": round(self.duration, 2),
            "billedDurationMs": self.billed,
            "memorySizeMB": self.memory_size,
            "maxMemoryUsedMB": self.memory_used,
        }
        if self.init_duration is not None:
            metrics["initDurationMs"] = round(self.init_duration, 2)
        record: dict[str, object] = {
            "requestId": self.request_id,
            "metrics": metrics,
            "status": _telemetry_status(self.status),
        }
        return record | ({"errorType": self.error_type} if self.error_type else {})

    def _ending(self) -> str:
        if self.status is Status.TIMEOUT:
            return "\tStatus: timeout"
        if self.status in _ENDED:
            return f"\tStatus: error\tError Type: {self.error_type}"
        return ""


def reported(problem: Failure | None) -> tuple[Status, str]:
    """Return status and error type of an invocation that ended with a failure, or without."""
    return (Status.SUCCESS, "") if problem is None else (problem.status, problem.reported_type)


def extension_record(name: str, state: str, events: str) -> Record:
    """Return the record of `platform.extension`."""
    return {"name": name, "state": state, "events": events.split(",") if events else []}


def init_record(phase: str, problem: Failure | None) -> Record:
    """Return how an initialisation ended, as all records of it say."""
    status, error_type = reported(problem)
    record: Record = {
        "initializationType": "on-demand",
        "phase": phase,
        "status": _telemetry_status(status),
    }
    timeout = status is Status.TIMEOUT
    return record | ({"errorType": error_type} if error_type and not timeout else {})


def done_record(report: Report, produced: int) -> Record:
    """Return the record of `platform.runtimeDone`; `produced` is the answer's size in bytes."""
    metrics = {"durationMs": round(report.duration, 2), "producedBytes": produced}
    return report.record() | {"metrics": metrics}


def _telemetry_status(status: Status) -> str:
    return "error" if status in _ENDED else status.value


class PlatformLog:
    """Words the platform's lines in the function's log format, `Text` or `JSON`.

    `level` is the function's system log level, and `tenant_id` whose invocations they are about;
    only JSON logs have them. `stamp` returns the present moment as text.
    """

    def __init__(
        self,
        log_format: str,
        version: str,
        stamp: Callable[[], str],
        level: str | None = None,
        tenant_id: str | None = None,
    ) -> None:
        self._json = log_format.upper() == "JSON"
        self._least = Level[level] if self._json and level else Level.INFO
        self._version = version
        self._stamp = stamp
        self._tenant = {"tenantId": tenant_id} if tenant_id else {}

    def writes(self, level: Level) -> bool:
        """Whether a line of this level is written to the log; in text all are."""
        return not self._json or level >= self._least

    def start(self, request_id: str) -> str:
        """Word the beginning of an invocation."""
        if not self._json:
            return f"START RequestId: {request_id} Version: {self._version}"
        return self._line("platform.start", self.start_record(request_id))

    def start_record(self, request_id: str) -> Record:
        """Return the record of `platform.start`."""
        return {"requestId": request_id, "version": self._version, **self._tenant}

    def extension(self, name: str, state: str, events: str) -> str:
        """Word that there is an extension, and what it asked to be told."""
        if not self._json:
            return f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{events}]"
        return self._line("platform.extension", extension_record(name, state, events))

    def finish(self, report: Report) -> list[str]:
        """Word the end of an invocation."""
        if not self._json:
            return [f"END RequestId: {report.request_id}", report.line()]
        return [self._line("platform.report", self.report_record(report))]

    def report_record(self, report: Report) -> Record:
        """Return the record of `platform.report`."""
        return {**report.record(), **self._tenant}

    def failure(self, request_id: str, failure: Failure) -> list[str]:
        """Word why the platform ended an invocation; JSON logs say it in the report."""
        if self._json or not failure.message:
            return []
        if failure.status is Status.TIMEOUT:
            return [f"{self._stamp()} {request_id} {failure.message}"]
        return [failure.message, failure.error_type]

    def init_failure(self, milliseconds: float, phase: str, failure: Failure) -> str:
        """Word an initialisation that failed; `phase` is `init` or `invoke`."""
        timeout = failure.status is Status.TIMEOUT
        status = "timeout" if timeout else "error"
        if not self._json:
            kind = "" if timeout else f"\tError Type: {failure.reported_type}"
            return (
                f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: {phase}"
                f"\tStatus: {status}{kind}"
            )
        record = init_record(phase, failure) | {"metrics": {"durationMs": round(milliseconds, 2)}}
        return self._line("platform.initReport", record)

    def _line(self, kind: str, record: Record) -> str:
        document = {"time": self._stamp(), "type": kind, "record": record}
        return json.dumps(document, separators=(",", ":"))
