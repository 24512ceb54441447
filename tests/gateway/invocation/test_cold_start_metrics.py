"""The phases of cold starts are measured, and `describe` can ask for the last one."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import TYPE_CHECKING, Any

CLOCK = 0.002
"""Seconds by which the loop's clock may be behind."""

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness


def get(platform: GatewayHarness, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


def test_a_cold_start_is_taken_apart(platform: GatewayHarness) -> None:
    """Source and phases, as metrics and for one function; a warm call adds nothing."""
    platform.create("apart", "def handler(e, c):\n    return 1\n", Publish=True)
    client = platform.client()
    for _ in range(2):
        client.invoke(FunctionName="apart")
    metrics = get(platform, "/-/metrics").decode()
    labels = 'function="apart",namespace="default"'
    assert f'pilotlight_claims_granted_total{{{labels},source="pod"}} 1.0' in metrics
    for phase in ("queue", "claim", "pod", "specialise"):
        count = f'pilotlight_cold_start_seconds_count{{{labels},phase="{phase}"}} 1.0'
        assert count in metrics, phase
    told: dict[str, Any] = json.loads(get(platform, "/-/functions/apart"))
    last = told["coldStart"]
    assert last["source"] == "pod"
    assert last["claim"] >= last["pod"] + last["specialise"] - CLOCK
    assert last["specialise"] >= last["fetch"] + last["unpack"]
    assert [one["version"] for one in told["versions"]] == ["1"]
