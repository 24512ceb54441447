"""Asynchronous invocations end to end: accepted, run, tried again, ended."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.errors import UnavailableError
from pilotlight_gateway.event_queue.interface import FunctionKey, Limits
from pilotlight_gateway.invocation.lineage import MOST_HOPS, count_hop
from tests.gateway.events.conftest import Events, until
from tests.support.events import event

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.gateway import GatewayHarness

FLAKY = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("on purpose")
    return event
"""
INVOKE = "/2015-03-31/functions/{}/invocations"


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = refused.value.response["Error"]["Code"]
    return code


def dead_letters(events: Events, function: str) -> list[Any]:
    key = FunctionKey("default", function)
    return events.harness.call(events.harness.events.dead_letters(key, limit=10))


def test_an_event_is_accepted_and_runs(events: Events) -> None:
    events.harness.create("accepted", FLAKY)
    request_id = events.send("accepted", b'{"a": 1}')
    events.wait("accepted", enqueued=1, done=1)
    until(lambda: events.runs("accepted") == [request_id])


def test_the_old_operation_is_accepted_too(events: Events) -> None:
    events.harness.create("old", FLAKY)
    answer = events.harness.client().invoke_async(FunctionName="old", InvokeArgs=b"[1]")
    assert answer["Status"] == 202
    events.wait("old", enqueued=1)


def test_a_backlog_of_short_events_gets_a_few_environments(events: Events) -> None:
    """They come all at once; environments follow how long each takes, not how many wait."""
    events.harness.create("short", FLAKY)
    backlog = [event(f"short-{number}", "short", at=time.time()) for number in range(200)]
    events.harness.call(events.harness.events.enqueue(*backlog))
    most = 0

    def done() -> bool:
        nonlocal most
        pods = events.harness.capacity.leases_of("local")
        most = max(most, sum(lease.revision.function == "short" for lease in pods))
        return events.counts("short").done == 200

    until(done)
    assert 1 <= most <= 4


def test_a_failing_event_is_tried_three_times_under_one_request_id(events: Events) -> None:
    events.harness.create("thrice", FLAKY)
    request_id = events.send("thrice", b'{"fail": 1}')
    for runs in (1, 2):
        until(lambda: len(events.runs("thrice")) == runs)  # noqa: B023  called at once
        events.wait("thrice", waiting=1)
        events.pass_time(60.0 * runs - 5)
        assert events.counts("thrice").waiting == 1
        events.pass_time(5.5)
    events.wait("thrice", dead=1)
    until(lambda: events.runs("thrice") == [request_id] * 3)
    [letter] = dead_letters(events, "thrice")
    assert (letter.reason, letter.event.tries) == ("RetriesExhausted", 3)
    assert "on purpose" in letter.message


def test_an_event_that_is_too_old_is_not_tried_again(events: Events) -> None:
    events.harness.create("aged", FLAKY)
    events.harness.client().put_function_event_invoke_config(
        FunctionName="aged", MaximumEventAgeInSeconds=60
    )
    request_id = events.send("aged", b'{"fail": 1}')
    events.wait("aged", waiting=1)
    until(lambda: events.runs("aged") == [request_id])
    events.pass_time(61)
    events.wait("aged", dead=1)
    [letter] = dead_letters(events, "aged")
    assert letter.reason == "EventAgeExceeded"
    assert events.runs("aged") == [request_id]


def test_a_function_that_is_switched_off_gets_its_events_as_dead_letters(events: Events) -> None:
    events.harness.create("off", FLAKY)
    events.harness.client().put_function_concurrency(
        FunctionName="off", ReservedConcurrentExecutions=0
    )
    events.send("off")
    events.wait("off", dead=1)
    [letter] = dead_letters(events, "off")
    assert (letter.reason, letter.event.tries) == ("ZeroReservedConcurrency", 0)
    assert events.runs("off") == []


def test_a_throttle_is_no_try(events: Events, tmp_path: Path) -> None:
    source = (
        "import os, time\n"
        "def handler(e, c):\n"
        "    while not os.path.exists(e['until']):\n"
        "        time.sleep(0.01)\n"
    )
    events.harness.create("narrow", source, Timeout=60)
    client = events.harness.client()
    client.put_function_event_invoke_config(FunctionName="narrow", MaximumRetryAttempts=0)
    client.put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=1)
    let_go = tmp_path / "let-go"
    payload = json.dumps({"until": str(let_go)}).encode()
    first = events.send("narrow", payload)
    until(lambda: events.runs("narrow") == [first])
    second = events.send("narrow", payload)
    events.wait("narrow", waiting=1, in_flight=1)
    let_go.touch()
    events.pass_time(5)
    events.wait("narrow", done=2)
    until(lambda: events.runs("narrow") == [first, second])


def test_an_event_of_a_function_that_is_gone_is_kept(events: Events) -> None:
    events.harness.create("deleted", FLAKY)
    events.send("deleted", b'{"fail": 1}')
    events.wait("deleted", waiting=1)
    until(lambda: events.runs("deleted"))
    events.harness.client().delete_function(FunctionName="deleted")
    events.pass_time(61)
    events.wait("deleted", dead=1)
    assert dead_letters(events, "deleted")[0].reason == "FunctionNotFound"


@pytest.mark.parametrize(
    ("function", "payload", "code"),
    [
        ("nobody", b"{}", "ResourceNotFoundException"),
        ("picky", b"{no json", "InvalidRequestContentException"),
        ("picky", b'"' + b"x" * 1_048_576 + b'"', "RequestTooLargeException"),
    ],
)
def test_what_cannot_be_an_event_is_refused(
    events: Events, function: str, payload: bytes, code: str
) -> None:
    if events.harness.gateway.services.catalogue.get("default", "picky") is None:
        events.harness.create("picky", FLAKY)
    with pytest.raises(ClientError) as refused:
        events.send(function, payload)
    assert code_of(refused) == code
    assert events.counts(function).enqueued == 0


def test_a_full_queue_is_429_and_one_that_is_away_is_503(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.harness.create("full", FLAKY)
    queue: Any = events.harness.events
    monkeypatch.setattr(queue, "_limits", Limits(events=0))
    with pytest.raises(ClientError) as refused:
        events.send("full")
    assert code_of(refused) == "TooManyRequestsException"
    assert refused.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "5"

    async def away(*_: object) -> list[bool]:
        raise UnavailableError("the queue is away")

    monkeypatch.setattr(queue, "enqueue", away)
    with pytest.raises(ClientError) as refused:
        events.send("full")
    assert code_of(refused) == "ServiceUnavailableException"


def looped(harness: GatewayHarness, function: str, kind: str) -> tuple[int, str]:
    """Invoke a function as one that was invoked sixteen times in this chain does."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
    for _ in range(MOST_HOPS):
        trace = count_hop(trace, f"arn:aws:lambda:us-east-1:000000000000:function:{function}")
    connection = http.client.HTTPConnection("127.0.0.1", harness.port, timeout=20)
    headers = {"X-Amzn-Trace-Id": trace, "X-Amz-Invocation-Type": kind}
    connection.request("POST", INVOKE.format(function), b"{}", headers)
    answer = connection.getresponse()
    found = answer.status, answer.getheader("x-amzn-ErrorType", "")
    answer.read()
    connection.close()
    return found


def test_a_loop_is_stopped_after_sixteen_hops(events: Events) -> None:
    events.harness.create("loop", FLAKY)
    assert looped(events.harness, "loop", "RequestResponse") == (
        400, "RecursiveInvocationException",
    )  # fmt: skip
    assert looped(events.harness, "loop", "Event") == (202, "")
    events.wait("loop", dead=1)
    [letter] = dead_letters(events, "loop")
    assert letter.reason == "RecursiveInvocation"
    assert "16 times" in letter.message
    assert events.runs("loop") == []


def test_a_function_sees_the_lineage_it_has_to_hand_on(events: Events) -> None:
    source = "import os\ndef handler(e, c):\n    return os.environ['_X_AMZN_TRACE_ID']\n"
    events.harness.create("traced", source)
    connection = http.client.HTTPConnection("127.0.0.1", events.harness.port, timeout=20)
    header = {"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"}
    connection.request("POST", INVOKE.format("traced"), b"{}", header)
    trace = json.loads(connection.getresponse().read())
    connection.close()
    assert trace.startswith("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0;Lineage=")
    assert trace.endswith(":1")


def test_metrics_tell_what_became_of_events(events: Events) -> None:
    events.harness.create("counted", FLAKY)
    events.send("counted")
    events.wait("counted", done=1)
    text = events.harness.gateway.services.metrics.render().decode()
    labels = 'function="counted",namespace="default"'
    assert f"pilotlight_async_events_received_total{{{labels}}} 1.0" in text
    assert f"pilotlight_async_event_age_seconds_count{{{labels}}} 1.0" in text
