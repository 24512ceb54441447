"""The platform's lines, to the letter: tools parse them."""

import json

import pytest

from pilotlight_agent.invocations import failure
from pilotlight_agent.invocations.failure import Failure, Status
from pilotlight_agent.invocations.report import Level, PlatformLog, Report

TEXT = PlatformLog("Text", "7", lambda: "TIME")
JSON = PlatformLog("JSON", "7", lambda: "TIME")


def report(
    problem: Failure | None = None, *, duration: float = 12.3456, init: float | None = None
) -> Report:
    """Return a report of an invocation in 128 MB."""
    status = Status.SUCCESS if problem is None else problem.status
    kind = "" if problem is None else problem.reported_type
    return Report("id", duration, 128, 31, init, status, kind)


PREFIX = "REPORT RequestId: id\tDuration: 12.35 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB"
MIDDLE = f"{PREFIX}\tMax Memory Used: 31 MB"


@pytest.mark.parametrize(
    ("problem", "init", "line"),
    [
        (None, None, MIDDLE),
        (None, 85.1, f"{MIDDLE}\tInit Duration: 85.10 ms"),
        (failure.by_function("Function.X", b"{}"), None, MIDDLE),
        (failure.timed_out("id", 3), None, f"{MIDDLE}\tStatus: timeout"),
        (
            failure.exited("id", 1),
            None,
            f"{MIDDLE}\tStatus: error\tError Type: Runtime.ExitError",
        ),
        (
            failure.out_of_memory("id"),
            1.0,
            f"{MIDDLE}\tInit Duration: 1.00 ms\tStatus: error\tError Type: Runtime.OutOfMemory",
        ),
    ],
)
def test_report_lines(problem: Failure | None, init: float | None, line: str) -> None:
    """Tabs, two decimals, the status only where Lambda has it."""
    assert TEXT.finish(report(problem, init=init)) == ["END RequestId: id", line]


@pytest.mark.parametrize(
    ("duration", "billed"), [(0.0, 1), (0.01, 1), (1.0, 1), (1.004, 1), (1.006, 2), (99.99, 100)]
)
def test_bills_are_rounded_up_to_whole_milliseconds(duration: float, billed: int) -> None:
    """What is shown and what is billed agree."""
    assert report(duration=duration).billed == billed


def test_header_is_one_json_object() -> None:
    """The gateway reads it."""
    assert json.loads(report(failure.timed_out("id", 3), init=5).header()) == {
        "durationMs": 12.35,
        "billedMs": 13,
        "memorySizeMb": 128,
        "maxMemoryUsedMb": 31,
        "initDurationMs": 5.0,
        "status": "timeout",
    }
    assert "initDurationMs" not in json.loads(report().header())


def test_json_records() -> None:
    """JSON logs are Lambda's telemetry records."""
    assert json.loads(JSON.start("id")) == {
        "time": "TIME",
        "type": "platform.start",
        "record": {"requestId": "id", "version": "7"},
    }
    (line,) = JSON.finish(report(failure.exited("id", 1)))
    record = json.loads(line)["record"]
    assert record["status"] == "error"
    assert record["errorType"] == "Runtime.ExitError"
    assert record["metrics"]["billedDurationMs"] == 13
    assert JSON.failure("id", failure.exited("id", 1)) == []


EXITED = "RequestId: id Error: Runtime exited"
ANSWERS = [
    (
        failure.timed_out("id", 1),
        ("Sandbox.Timedout", "RequestId: id Error: Task timed out after 1.00 seconds"),
    ),
    (failure.exited("id", 0), ("Runtime.ExitError", f"{EXITED} without providing a reason")),
    (failure.exited("id", 127), ("Runtime.ExitError", f"{EXITED} with error: exit status 127")),
    (failure.out_of_memory("id"), ("Runtime.ExitError", f"{EXITED} with error: signal: killed")),
    (
        failure.too_large(),
        (
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
    ),
]


@pytest.mark.parametrize(("problem", "texts"), ANSWERS)
def test_answers_to_failures(problem: Failure, texts: tuple[str, str]) -> None:
    """Clients match on these texts, and on their order."""
    kind, message = texts
    assert problem.body == f'{{"errorType":"{kind}","errorMessage":"{message}"}}'.encode()


def test_words_of_failures() -> None:
    """What the log says beside the report."""
    assert TEXT.failure("id", failure.timed_out("id", 1)) == [
        "TIME id Task timed out after 1.00 seconds"
    ]
    assert TEXT.failure("id", failure.exited("id", 2)) == [
        "RequestId: id Error: Runtime exited with error: exit status 2",
        "Runtime.ExitError",
    ]
    problem = failure.by_function("Runtime.ImportModuleError", b"{}")
    assert TEXT.init_failure(8.0, "init", problem) == (
        "INIT_REPORT Init Duration: 8.00 ms\tPhase: init\tStatus: error"
        "\tError Type: Runtime.ImportModuleError"
    )
    assert TEXT.init_failure(8.0, "invoke", failure.timed_out("id", 1)) == (
        "INIT_REPORT Init Duration: 8.00 ms\tPhase: invoke\tStatus: timeout"
    )


@pytest.mark.parametrize(
    ("log_format", "level", "written"),
    [
        ("JSON", None, {Level.INFO, Level.WARN}),
        ("JSON", "DEBUG", {*Level}),
        ("JSON", "INFO", {Level.INFO, Level.WARN}),
        ("JSON", "WARN", {Level.WARN}),
        ("Text", None, {*Level}),
        ("Text", "WARN", {*Level}),
    ],
)
def test_the_system_log_level_is_of_json_logs(
    log_format: str, level: str | None, written: set[Level]
) -> None:
    """Text logs have none: everything is written."""
    log = PlatformLog(log_format, "7", lambda: "TIME", level)
    assert {each for each in Level if log.writes(each)} == written


@pytest.mark.parametrize("problem", [None, failure.timed_out("id", 1), failure.exited("id", 1)])
def test_a_failure_is_worth_a_warning(problem: Failure | None) -> None:
    """So its report is written where those of successes are not."""
    assert report(problem).level is (Level.INFO if problem is None else Level.WARN)
