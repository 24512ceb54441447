"""What `dev` shows of a log line."""

from __future__ import annotations

import json

import click
import pytest

from pilotlight.storage import LogLine
from pilotlight_cli.dev.brief import Brief

ID = "8f3c1a2b-0000-0000-0000-000000000000"
REPORT = f"REPORT RequestId: {ID}\tDuration: 3.10 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB"


def event(kind: str, **record: object) -> str:
    """Make a platform line of the JSON format."""
    return json.dumps({"time": "now", "type": f"platform.{kind}", "record": record})


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("hello\n", "| hello"),
        ("one\rtwo", "| one\ntwo"),
        (f"START RequestId: {ID} Version: $LATEST", None),
        (f"END RequestId: {ID}", None),
        (REPORT, "3.10 ms (warm)"),
        (f"{REPORT}\tInit Duration: 41.20 ms", "3.10 ms (cold, init 41.20 ms)"),
        (f"{REPORT}\tStatus: timeout", "timeout 3.10 ms (warm)"),
        (event("start", requestId=ID), None),
        (
            event("report", requestId=ID, metrics={"durationMs": 3.1}, status="success"),
            "3.1 ms (warm)",
        ),
        (
            event(
                "report",
                requestId=ID,
                metrics={"durationMs": 3.1, "initDurationMs": 41.2},
                status="error",
            ),
            "error 3.1 ms (cold, init 41.2 ms)",
        ),
        (
            "INIT_REPORT Init Duration: 11.83 ms\tPhase: init\tStatus: error\tError Type: X",
            "init error 11.83 ms",
        ),
        (
            event("initReport", phase="init", status="timeout", metrics={"durationMs": 9.5}),
            "init timeout 9.5 ms",
        ),
        ('{"message": "mine"}', '| {"message": "mine"}'),
        ('{"type": "platform.cut', '| {"type": "platform.cut'),
        ('{"type": "platform.mine"}', '| {"type": "platform.mine"}'),
        ('{"type": "platform.mine", "record": 3}', '| {"type": "platform.mine", "record": 3}'),
        ('{"a": {"type": "platform.mine"}}', '| {"a": {"type": "platform.mine"}}'),
        (event("report", metrics=[]), None),
    ],
)
def test_a_line_is_shown_in_short(message: str, shown: str | None) -> None:
    """A call is one line; what the function wrote stays as it is, whatever it looks like."""
    assert shown_of(Brief(), message) == shown


@pytest.mark.parametrize(
    "raised",
    ["[ERROR] ValueError: no\rTraceback", '{"timestamp": "now", "errorType": "ValueError"}'],
)
def test_a_call_that_raised_is_marked(raised: str) -> None:
    """Lambda's report does not say so; a line of the function's own logger says nothing of it."""
    brief = Brief()
    shown_of(brief, "[ERROR]\t2026-01-01T00:00:00.000Z\tid\tonly logged")
    assert shown_of(brief, REPORT) == "3.10 ms (warm)"
    shown_of(brief, raised)
    assert shown_of(brief, REPORT) == "error 3.10 ms (warm)"
    assert shown_of(brief, REPORT) == "3.10 ms (warm)"


def shown_of(brief: Brief, message: str) -> str | None:
    """Show a line without colours and without what all lines begin with."""
    said = brief.show(LogLine(0.0, "default", "hello", "stream", ID, message))
    return said and click.unstyle(said).split(" hello 8f3c1a2b ", 1)[1]
