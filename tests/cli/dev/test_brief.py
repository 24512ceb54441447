"""What `dev` shows of a log line."""

from __future__ import annotations

import json

import pytest

from pilotlight.storage import LogLine
from pilotlight_cli.dev.brief import brief

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
        (event("report", metrics={"durationMs": 3.1}, status="success"), "3.1 ms (warm)"),
        (
            event("report", metrics={"durationMs": 3.1, "initDurationMs": 41.2}, status="error"),
            "error 3.1 ms (cold, init 41.2 ms)",
        ),
        ('{"message": "mine"}', '| {"message": "mine"}'),
    ],
)
def test_a_line_is_shown_in_short(message: str, shown: str | None) -> None:
    """A call is one line; what the function wrote stays as it is."""
    said = brief(LogLine(0.0, "default", "hello", "stream", ID, message))
    assert (said and said.split(" hello 8f3c1a2b ", 1)[1]) == shown
