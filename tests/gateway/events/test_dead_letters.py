"""Dead letters over HTTP and by `pilotlight dlq`: listed, shown, redriven, purged."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.gateway.events.conftest import Events, until
from tests.support.gateway import package, wait_for
from tests.support.platform import run_cli

if TYPE_CHECKING:
    import subprocess

SOURCE = """
def handler(event, context):
    raise ValueError("no " + str(event["n"]))
"""
REPAIRED = "def handler(event, context):\n    return event\n"


def dlq(events: Events, *arguments: str, **environment: Any) -> subprocess.CompletedProcess[bytes]:
    """Run `pilotlight dlq …`."""
    return run_cli("dlq", *arguments, endpoint=events.harness.url, **environment)


def listed(events: Events, function: str, *options: str) -> dict[str, Any]:
    done = dlq(events, "list", function, "-o", "json", *options)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def fail(events: Events, function: str, count: int) -> list[str]:
    """Make a function fail so many events; gives their ids in order."""
    events.harness.create(function, SOURCE)
    events.harness.client().put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0
    )
    ids = [events.send(function, json.dumps({"n": n}).encode()) for n in range(count)]
    events.wait(function, dead=count)
    return sorted(ids)


def test_they_are_listed_and_shown(events: Events) -> None:
    ids = fail(events, "broken", 3)
    found = listed(events, "broken")
    assert [letter["id"] for letter in found["deadLetters"]] == ids
    assert found["total"] == 3
    assert {letter["reason"] for letter in found["deadLetters"]} == {"RetriesExhausted"}
    text = dlq(events, "list", "broken", "--limit", "2")
    assert text.stdout.decode().splitlines()[0].split() == [
        "ID", "REASON", "TRIES", "DIED", "SIZE", "MESSAGE",
    ]  # fmt: skip
    assert b"2 of 3" in text.stderr
    shown = json.loads(dlq(events, "show", ids[0], "-o", "json").stdout)
    assert (shown["id"], shown["function"], shown["tries"]) == (ids[0], "broken", 1)
    payload = dlq(events, "show", ids[0], "--payload").stdout
    assert json.loads(payload)["n"] in {0, 1, 2}
    assert b"Reason:" in dlq(events, "show", ids[0]).stdout
    # Another account sees nothing.
    assert listed_by(events, "111111111111", "broken")["total"] == 0


def listed_by(events: Events, account: str, function: str) -> dict[str, Any]:
    done = dlq(
        events, "list", function, "-o", "json",
        AWS_ACCESS_KEY_ID=account, AWS_SECRET_ACCESS_KEY="test",
    )  # fmt: skip
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_they_run_again_when_redriven(events: Events) -> None:
    ids = fail(events, "repaired", 2)
    one = dlq(events, "redrive", "repaired", "--request-id", ids[0])
    assert one.stdout == b"function/repaired: 1 dead letters redriven\n"
    until(lambda: events.runs("repaired").count(ids[0]) == 2)
    events.wait("repaired", dead=2)
    client = events.harness.client()
    client.update_function_code(FunctionName="repaired", ZipFile=package({"index.py": REPAIRED}))
    wait_for(client, "function_updated_v2", FunctionName="repaired")
    assert json.loads(dlq(events, "redrive", "repaired", "-o", "json").stdout) == {
        "function": "repaired", "redriven": 2,
    }  # fmt: skip
    events.wait("repaired", done=2, dead=0)


def test_they_go_when_purged(events: Events) -> None:
    ids = fail(events, "thrown", 2)
    refused = dlq(events, "purge", "thrown")
    assert refused.returncode != 0
    assert b"Throw all dead letters of thrown away?" in refused.stderr
    assert dlq(events, "purge", "thrown", "--request-id", ids[1]).returncode == 0
    assert dlq(events, "purge", "thrown", "--yes").stdout == (
        b"function/thrown: 1 dead letters purged\n"
    )
    counts = events.counts("thrown")
    assert (counts.dead, counts.purged) == (0, 2)
    assert dlq(events, "show", ids[0]).returncode == 3


@pytest.mark.parametrize(("path", "text"), [("", "function:"), ("?function=f&limit=0", "limit")])
def test_a_question_that_is_none_is_refused(events: Events, path: str, text: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", events.harness.port, timeout=10)
    connection.request("GET", f"/-/dead-letters{path}")
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    assert answer.status == 400
    assert text in body["message"]
