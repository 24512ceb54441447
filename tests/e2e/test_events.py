"""Asynchronous events, schedules and plain HTTP on a cluster: kept in PostgreSQL, found by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.cluster import kubectl, wait_until

if TYPE_CHECKING:
    from tests.support.cluster import Installation

FAILING = """
def handler(event, context):
    raise ValueError(event["why"])
"""
PAGE = """
def handler(event, context):
    return {"path": event["rawPath"], "parameters": event.get("pathParameters")}
"""


def dead_letters(platform: Installation, name: str) -> list[dict[str, Any]]:
    """Ask the command for a function's dead letters, as an operator would."""
    listed = subprocess.run(
        (sys.executable, "-m", "pilotlight_cli", "dlq", "list", name, "-o", "json"),
        env=os.environ
        | {
            "AWS_ENDPOINT_URL": platform.endpoint,
            "AWS_ACCESS_KEY_ID": platform.access_key,
            "AWS_SECRET_ACCESS_KEY": platform.secret_key,
            "AWS_REGION": "us-east-1",
        },
        capture_output=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(listed.stdout)["deadLetters"]
    return found


def apply(platform: Installation, kind: str, name: str, spec: dict[str, Any]) -> None:
    """Apply a resource as kubectl does."""
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": platform.account},
        "spec": spec,
    }
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifest))


def get(platform: Installation, path: str, host: str | None = None) -> Any:
    """Send a request that nobody signed."""
    request = urllib.request.Request(platform.endpoint + path)
    if host is not None:
        request.add_header("Host", host)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_an_event_that_fails_for_good_stands_among_the_dead_letters(
    platform: Installation,
) -> None:
    """Accepted with 202, tried once, and kept under the id that the caller was told."""
    spec: dict[str, Any] = {"async": {"maximumRetryAttempts": 0}}
    platform.apply("rejecting", FAILING, **spec)
    platform.wait_ready("rejecting")
    accepted = platform.client().invoke(
        FunctionName="rejecting", InvocationType="Event", Payload=b'{"why": "on purpose"}'
    )
    assert accepted["StatusCode"] == 202
    wait_until(lambda: len(dead_letters(platform, "rejecting")) == 1, "the event is a dead letter")
    (letter,) = dead_letters(platform, "rejecting")
    assert letter["id"] == accepted["ResponseMetadata"]["RequestId"]


def test_a_schedule_fires_once_though_there_are_two_gateways(platform: Installation) -> None:
    """At its time, with its input."""
    spec: dict[str, Any] = {"async": {"maximumRetryAttempts": 0}}
    platform.apply("punctual", FAILING, **spec)
    platform.wait_ready("punctual")
    due = datetime.now(UTC) + timedelta(seconds=3)
    apply(
        platform,
        "Schedule",
        "soon",
        {
            "expression": f"at({due:%Y-%m-%dT%H:%M:%S})",
            "function": "punctual",
            "input": '{"why": "it is time"}',
        },
    )
    wait_until(lambda: bool(dead_letters(platform, "punctual")), "the schedule has fired")

    def reason() -> str:
        path = "jsonpath={.status.conditions[0].reason}"
        return kubectl("get", "schedule", "soon", "-n", platform.account, "-o", path)

    wait_until(lambda: reason() == "Completed", "it is known that it fires no more")
    assert len(dead_letters(platform, "punctual")) == 1


def test_plain_http_reaches_a_function(platform: Installation) -> None:
    """By a function URL's path form, and by a route's host and path."""
    spec: dict[str, Any] = {"url": {"authType": "NONE"}}
    platform.apply("page", PAGE, **spec)
    platform.wait_ready("page")
    told = get(platform, f"/-/fn/{platform.account_id()}/page/some/where")
    assert told["path"] == "/some/where"
    route = {"host": "shop.example.com", "path": "/items/{id}", "function": "page"}
    apply(platform, "Route", "items", route)
    kubectl("wait", "--for=condition=Ready", "route/items", "-n", platform.account, "--timeout=20s")
    told = get(platform, "/items/7", host="shop.example.com")
    assert told["parameters"] == {"id": "7"}
