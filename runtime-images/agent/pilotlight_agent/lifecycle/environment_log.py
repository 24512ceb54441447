"""What an environment writes to its function's log, and into the log tail of what runs.

The same goes to the extensions that subscribed to it (`runtimes.telemetry`).
"""

from collections.abc import Sequence
from functools import partial

from pilotlight_agent.invocations.failure import Failure, Status
from pilotlight_agent.invocations.invocation import Invocation
from pilotlight_agent.invocations.report import (
    Level,
    PlatformLog,
    Record,
    Report,
    done_record,
    extension_record,
    init_record,
)
from pilotlight_agent.journal import Journal, Source
from pilotlight_agent.runtimes.subscription import Stream
from pilotlight_agent.runtimes.telemetry import Telemetry
from pilotlight_wire.events import EventType
from pilotlight_wire.specialisation import FunctionFacts


class EnvironmentLog:
    """Lines of the function and about it; `invocation` is what they belong to, if to any."""

    def __init__(
        self,
        journal: Journal,
        environment: str,
        log_stream: str,
        function: FunctionFacts,
        telemetry: Telemetry,
    ) -> None:
        self._telemetry = telemetry
        self._source = Source(journal, environment, log_stream)
        self._words = PlatformLog(
            function.log_format,
            function.version,
            journal.stamp,
            function.system_log_level,
            function.tenant_id,
        )

    def line(self, invocation: Invocation | None, line: str) -> None:
        """Write a line of the function's."""
        self._write(invocation, EventType.LOG, (line,))
        self._telemetry.line(Stream.FUNCTION, line)

    def extension_line(self, invocation: Invocation | None, line: str) -> None:
        """Write a line of an extension's."""
        self._write(invocation, EventType.LOG, (line,))
        self._telemetry.line(Stream.EXTENSION, line)

    def state(self, state: str) -> None:
        """Tell of a state."""
        self._source.tell_state(state)

    def exit(self, invocation: Invocation | None, code: int) -> None:
        """Tell of the end of a runtime process."""
        self._source.tell_exit(_request_id(invocation), code)

    def started(self, invocation: Invocation) -> None:
        """Write that the invocation begins."""
        self._platform(invocation, Level.INFO, [self._words.start(invocation.request_id)])

        def record() -> Record:
            return self._words.start_record(invocation.request_id) | _tracing(invocation)

        self._telemetry.platform("platform.start", record)

    def failed(self, invocation: Invocation | None, problem: Failure) -> None:
        """Write why the platform ended the invocation, or could not begin it."""
        lines = self._words.failure(_request_id(invocation), problem)
        self._platform(invocation, Level.WARN, lines)

    def init_failed(
        self, invocation: Invocation | None, milliseconds: float, phase: str, problem: Failure
    ) -> None:
        """Write that an initialisation failed; `phase` is `init` or `invoke`."""
        if problem.status is not Status.TIMEOUT:
            self.failed(invocation, problem)
        line = self._words.init_failure(milliseconds, phase, problem)
        self._platform(invocation, Level.WARN, [line])
        self.init_ended(milliseconds, phase, problem)

    def init_began(self, phase: str) -> None:
        """Tell extensions that an initialisation begins, and theirs with it."""
        self._telemetry.platform(
            "platform.initStart", lambda: {"initializationType": "on-demand", "phase": phase}
        )

    def init_ended(self, milliseconds: float, phase: str, problem: Failure | None = None) -> None:
        """Tell extensions how an initialisation ended."""
        metrics: Record = {"metrics": {"durationMs": round(milliseconds, 2)}}
        tell = self._telemetry.platform
        tell("platform.initRuntimeDone", lambda: init_record(phase, problem))
        tell("platform.initReport", lambda: init_record(phase, problem) | metrics)

    def extensions(self, descriptions: Sequence[tuple[str, str, str]]) -> None:
        """Write which extensions there are: name, state and events of each."""
        for each in descriptions:
            self._platform(None, Level.INFO, [self._words.extension(*each)])
            self._telemetry.platform("platform.extension", partial(extension_record, *each))

    def word(self, invocation: Invocation, report: Report) -> list[str]:
        """Return the lines that end an invocation; they are in its log tail."""
        lines = self._words.finish(report)
        invocation.log(lines)
        return lines

    def finished(
        self, invocation: Invocation, report: Report, lines: Sequence[str], produced: int
    ) -> None:
        """Write the lines that end an invocation; its answer had so many bytes."""
        if self._words.writes(report.level):
            self._source.tell_lines(EventType.PLATFORM, report.request_id, lines)
        if self._telemetry.heard:  # every call comes by here
            self._tell_finished(invocation, report, produced)

    def _tell_finished(self, invocation: Invocation, report: Report, produced: int) -> None:
        tell, tracing = self._telemetry.platform, partial(_tracing, invocation)
        tell("platform.runtimeDone", lambda: done_record(report, produced) | tracing())
        tell("platform.end", lambda: {"requestId": report.request_id})
        tell("platform.report", lambda: self._words.report_record(report) | tracing())

    def _platform(self, invocation: Invocation | None, level: Level, lines: Sequence[str]) -> None:
        """Write lines of ours; those below the function's level are in the log tail only."""
        self._write(invocation, EventType.PLATFORM, lines, written=self._words.writes(level))

    def _write(
        self,
        invocation: Invocation | None,
        kind: EventType,
        lines: Sequence[str],
        *,
        written: bool = True,
    ) -> None:
        if invocation is not None:
            invocation.log(lines)
        if written:
            self._source.tell_lines(kind, _request_id(invocation), lines)


def _tracing(invocation: Invocation) -> Record:
    if not invocation.trace_id:
        return {}
    return {"tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id}}


def _request_id(invocation: Invocation | None) -> str:
    return "" if invocation is None else invocation.request_id
