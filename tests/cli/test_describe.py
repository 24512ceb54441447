"""The first line of `describe` says whether a call would run."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.resources import Condition, Function, FunctionStatus
from pilotlight_cli.commands.describe import invocable
from pilotlight_cli.platform import Description
from tests.support.platform import manifest

SERVING = {"revision": "0123456789abcdef", "state": "Active", "last_update_status": "Successful"}
READY = Condition(type="Ready", status="True", reason="Serving")
UNKNOWN = Condition(type="Ready", status="False", reason="RuntimeUnknown", message="'x' is unknown")


@pytest.mark.parametrize(
    ("status", "environments", "expected"),
    [
        ({}, {}, (False, "it is being created")),
        (
            {"state": "Failed", "conditions": [UNKNOWN]},
            {},
            (False, "RuntimeUnknown: 'x' is unknown"),
        ),
        ({**SERVING, "conditions": [READY]}, {}, (True, "cold start on first call")),
        (
            {**SERVING, "conditions": [READY]},
            {"idle": 2, "busy": 1, "starting": 0},
            (True, "2 of 3 warm environments idle"),
        ),
        (
            {**SERVING, "last_update_status": "InProgress"},
            {},
            (True, "cold start on first call; an update is in progress"),
        ),
        (
            {
                **SERVING,
                "last_update_status": "Failed",
                "last_update_status_reason": "no such runtime",
                "conditions": [UNKNOWN],
            },
            {"idle": 1},
            (True, "1 of 1 warm environments idle; the last update failed: no such runtime"),
        ),
    ],
)
def test_the_verdict(
    status: dict[str, Any], environments: dict[str, int], expected: tuple[bool, str]
) -> None:
    """What served before a failed update goes on serving."""
    function = Function.model_validate(manifest("hello"))
    function.status = FunctionStatus(**status)
    assert invocable(Description(function, environments)) == expected
