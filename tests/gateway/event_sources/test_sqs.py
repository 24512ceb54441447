"""The delivery contract of SQS (docs/events.md), on a real ElasticMQ and real functions."""

from __future__ import annotations

import json
import re
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight_gateway.event_sources.source import SourceError
from pilotlight_gateway.event_sources.sqs import SqsQueue, SqsSource

from .conftest import bodies, seen, until

if TYPE_CHECKING:
    from .conftest import Polling

PARTIAL = """
def handler(event, context):
    failures = []
    for record in event["Records"]:
        attempt = int(record["attributes"]["ApproximateReceiveCount"])
        note(bodies=[record["body"]], attempt=attempt)
        if record["body"].startswith("poison"):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
"""
REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


def test_the_record_is_lambdas(polling: Polling) -> None:
    """Every member, its name and its type."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    function, ledger = polling.function("def handler(event, context):\n    note(event=event)\n")
    polling.map(queue, function)
    polling.mq.client.send_message(
        QueueUrl=url, MessageBody="hello",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "t"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )  # fmt: skip
    [note] = until(lambda: seen(ledger))
    assert list(note["event"]) == ["Records"]
    [record] = note["event"]["Records"]
    attributes = record.pop("attributes")
    assert set(attributes) >= {
        "ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp",
    }  # fmt: skip
    assert attributes["ApproximateReceiveCount"] == "1"
    assert re.fullmatch("[0-9a-f-]{36}", record.pop("messageId"))
    assert record.pop("receiptHandle")
    assert re.fullmatch("[0-9a-f]{32}", record.pop("md5OfMessageAttributes"))
    assert record == {
        "body": "hello",
        "messageAttributes": {
            "text": {
                "stringValue": "t", "stringListValues": [], "binaryListValues": [],
                "dataType": "String",
            },
            "raw": {
                "binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [],
                "dataType": "Binary",
            },
        },
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "eventSource": "aws:sqs",
        "eventSourceARN": polling.arn(queue),
        "awsRegion": "us-east-1",
    }  # fmt: skip


def test_what_succeeds_is_deleted(polling: Polling) -> None:
    """Every message once, in batches of at most the size, and counted."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    polling.mq.put(url, [str(number) for number in range(57)])
    function, ledger = polling.function()
    uuid = polling.map(queue, function, BatchSize=7)
    until(lambda: polling.mq.counts(url) == (0, 0))
    assert Counter(bodies(ledger)) == Counter(str(number) for number in range(57))
    assert max(len(note["bodies"]) for note in seen(ledger)) == 7
    until(lambda: polling.mapping(uuid)["LastProcessingResult"] == "OK")
    for name in ("polled_events_total", "invoked_events_total", "deleted_events_total"):
        assert polling.metric(name, function) == 57
    assert polling.metric("failed_invoke_events_total", function) == 0


def test_a_window_gathers_more_than_one_receive(polling: Polling) -> None:
    """A batch above ten is filled from several receives; what is left goes when the window ends."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    polling.mq.put(url, [str(number) for number in range(60)])
    function, ledger = polling.function()
    polling.map(queue, function, BatchSize=50, MaximumBatchingWindowInSeconds=1)
    until(lambda: len(bodies(ledger)) == 60)
    assert max(len(note["bodies"]) for note in seen(ledger)) == 50


def test_poison_goes_to_the_dead_letters_alone(polling: Polling) -> None:
    """One in every batch of ten: all of them there after three tries, none of the others."""
    queue, dead = polling.name(), polling.name()
    dead_url = polling.mq.queue(dead)
    redrive = json.dumps({"deadLetterTargetArn": polling.arn(dead), "maxReceiveCount": "3"})
    url = polling.mq.queue(queue, VisibilityTimeout="2", RedrivePolicy=redrive)
    good = [f"good {number}" for number in range(90)]
    poison = [f"poison {number}" for number in range(10)]
    mixed = [one for at in range(10) for one in (*good[at * 9 : at * 9 + 9], poison[at])]
    polling.mq.put(url, mixed)
    function, ledger = polling.function(PARTIAL, Timeout=2)
    polling.map(queue, function, **REPORT)
    until(lambda: polling.mq.counts(dead_url)[0] == 10)
    assert sorted(polling.mq.bodies(dead_url)) == sorted(poison)
    runs = Counter(bodies(ledger))
    assert {runs[one] for one in good} == {1}
    assert {runs[one] for one in poison} == {3}
    assert {note["attempt"] for note in seen(ledger)} == {1, 2, 3}
    assert polling.mq.counts(url) == (0, 0)


def test_a_function_error_leaves_the_batch_until_its_visibility_is_over(polling: Polling) -> None:
    """Nothing is deleted; the whole batch comes again, and the mapping says why."""
    queue = polling.name()
    url = polling.mq.queue(queue, VisibilityTimeout="1")
    source = """
def handler(event, context):
    attempts = [int(one["attributes"]["ApproximateReceiveCount"]) for one in event["Records"]]
    note(bodies=[one["body"] for one in event["Records"]], attempts=attempts)
    if max(attempts) < 2:
        raise ValueError("not yet")
"""
    function, ledger = polling.function(source, Timeout=1)
    uuid = polling.map(queue, function)
    polling.mq.put(url, ["a", "b"])
    until(lambda: "Function call failed" in polling.mapping(uuid)["LastProcessingResult"])
    until(lambda: polling.mq.counts(url) == (0, 0))
    assert Counter(bodies(ledger)) == {"a": 2, "b": 2}
    assert polling.metric("failed_invoke_events_total", function) == 2


def test_answers_that_make_the_whole_batch_fail(polling: Polling) -> None:
    """An unknown id fails all of it, although the function succeeded."""
    queue = polling.name()
    url = polling.mq.queue(queue, VisibilityTimeout="1")
    source = """
def handler(event, context):
    attempt = int(event["Records"][0]["attributes"]["ApproximateReceiveCount"])
    note(bodies=[one["body"] for one in event["Records"]])
    return {"batchItemFailures": [{"itemIdentifier": "nobody"}] if attempt == 1 else []}
"""
    function, ledger = polling.function(source, Timeout=1)
    polling.map(queue, function, **REPORT)
    polling.mq.put(url, ["a"])
    until(lambda: bodies(ledger) == ["a", "a"])
    until(lambda: polling.mq.counts(url) == (0, 0))


def test_what_is_held_stays_hidden(polling: Polling) -> None:
    """A batch gathers for twice as long as the queue hides messages; each comes once."""
    queue = polling.name()
    url = polling.mq.queue(queue, VisibilityTimeout="2")
    source = """
def handler(event, context):
    for one in event["Records"]:
        note(bodies=[one["body"]], attempt=one["attributes"]["ApproximateReceiveCount"])
"""
    function, ledger = polling.function(source, Timeout=2)
    polling.map(queue, function, MaximumBatchingWindowInSeconds=4)
    polling.mq.put(url, ["a", "b"])
    until(lambda: polling.mq.counts(url) == (0, 0))
    assert sorted(bodies(ledger)) == ["a", "b"]
    assert {note["attempt"] for note in seen(ledger)} == {"1"}


def test_maximum_concurrency_is_kept(polling: Polling) -> None:
    """No more batches at once, however many messages wait."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    source = """
import time
def handler(event, context):
    note(at=time.time(), step=1)
    time.sleep(0.1)
    note(at=time.time(), step=-1)
"""
    polling.mq.put(url, [str(number) for number in range(12)])
    function, ledger = polling.function(source)
    polling.map(queue, function, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    until(lambda: len(seen(ledger)) == 24)
    running, most = 0, 0
    for note in sorted(seen(ledger), key=lambda one: one["at"]):
        running += note["step"]
        most = max(most, running)
    assert most == 2


def test_a_throttle_slows_the_poller_and_loses_nothing(polling: Polling) -> None:
    """A function that may not run keeps its messages; they come once it may."""
    queue = polling.name()
    url = polling.mq.queue(queue, VisibilityTimeout="4")
    function, ledger = polling.function()
    polling.client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    uuid = polling.map(queue, function)
    polling.mq.put(url, ["a"])
    until(lambda: "PROBLEM" in polling.mapping(uuid)["LastProcessingResult"])
    assert bodies(ledger) == []
    polling.client.delete_function_concurrency(FunctionName=function)
    until(lambda: polling.mq.counts(url) == (0, 0))
    assert bodies(ledger) == ["a"]


def test_groups_of_a_fifo_queue_stay_in_order(polling: Polling) -> None:
    """With a poison message in each group: nobody of a group is passed by another."""
    queue, dead = f"{polling.name()}.fifo", f"{polling.name()}.fifo"
    dead_url = polling.mq.queue(dead)
    redrive = json.dumps({"deadLetterTargetArn": polling.arn(dead), "maxReceiveCount": "2"})
    url = polling.mq.queue(queue, VisibilityTimeout="5", RedrivePolicy=redrive)
    source = """
def handler(event, context):
    failures, broken = [], set()
    for record in event["Records"]:
        group = record["attributes"]["MessageGroupId"]
        if group in broken or record["body"].startswith("poison"):
            broken.add(group)
            failures.append({"itemIdentifier": record["messageId"]})
        else:
            note(group=group, bodies=[record["body"]])
    return {"batchItemFailures": failures}
"""
    function, ledger = polling.function(source, Timeout=2)
    groups = {f"group{at}": [f"{at}-{number:02}" for number in range(12)] for at in range(4)}
    for group, wanted in groups.items():
        polling.mq.put(url, [*wanted[:5], f"poison-{group}", *wanted[5:]], group)
    # What follows a failed message in a batch counts as received with it: so one at a time.
    polling.map(queue, function, BatchSize=1, **REPORT)
    until(lambda: len(bodies(ledger)) == 48, 60)
    for group, wanted in groups.items():
        found = [one for note in seen(ledger) if note["group"] == group for one in note["bodies"]]
        assert found == wanted
    until(lambda: polling.mq.counts(url) == (0, 0))
    assert sorted(polling.mq.bodies(dead_url)) == [f"poison-group{at}" for at in range(4)]


def test_what_no_filter_lets_through_is_deleted(polling: Polling) -> None:
    """The function never sees it, and it does not come again."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    function, ledger = polling.function()
    pattern = json.dumps({"body": {"kind": ["order"], "total": [{"numeric": [">", 10]}]}})
    polling.map(queue, function, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    wanted = json.dumps({"kind": "order", "total": 11})
    others = [json.dumps({"kind": "order", "total": 9}), json.dumps({"kind": "note"}), "no json"]
    polling.mq.put(url, [wanted, *others])
    until(lambda: polling.mq.counts(url) == (0, 0))
    assert bodies(ledger) == [wanted]
    assert polling.metric("filtered_out_events_total", function) == 3
    assert polling.metric("deleted_events_total", function) == 4


def test_a_mapping_that_is_disabled_leaves_messages_where_they_are(polling: Polling) -> None:
    """And goes on where it was once it is enabled."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    function, ledger = polling.function()
    made = polling.client.create_event_source_mapping(
        EventSourceArn=polling.arn(queue), FunctionName=function, Enabled=False
    )
    uuid = made["UUID"]
    until(lambda: polling.mapping(uuid)["State"] == "Disabled")
    polling.mq.put(url, ["a"])
    updated = polling.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert updated["State"] in {"Enabling", "Enabled"}
    until(lambda: bodies(ledger) == ["a"])
    until(lambda: polling.mapping(uuid)["State"] == "Enabled")


GOOD = {"MessageId": "m", "ReceiptHandle": "h", "Body": "b", "MD5OfBody": "x"}


def answering(**answers: Any) -> Any:
    """Make a client of a service that answers each operation so."""

    async def call(operation: str, document: dict[str, Any], *, wait_seconds: float = 0.0) -> Any:
        del document, wait_seconds
        return answers[operation]

    return SimpleNamespace(call=call)


@pytest.mark.parametrize(
    "strange",
    [
        {}, [], "x", GOOD | {"Body": 1}, GOOD | {"MessageId": ["x"]},
        GOOD | {"ReceiptHandle": None}, GOOD | {"Attributes": [1]},
        GOOD | {"Attributes": {"SentTimestamp": [[]]}}, GOOD | {"MessageAttributes": [1]},
        GOOD | {"MessageAttributes": {"a": 1}}, GOOD | {"MessageAttributes": {"a": {}}},
        GOOD | {"MessageAttributes": {"a": {"DataType": "String", "StringValue": {}}}},
        GOOD | {"MD5OfMessageAttributes": {}},
    ],
)  # fmt: skip
async def test_a_message_that_is_none_of_sqs_keeps_no_other_from_its_function(strange: Any) -> None:
    """It stays in the queue, as what fails does; what stands in for SQS may say anything."""
    client = answering(ReceiveMessage={"Messages": [strange, GOOD]})
    queue = SqsQueue(client, "u", "arn:aws:sqs:us-east-1:000000000000:q", 30.0)
    assert [one.id for one in await queue.receive(10, 0)] == ["m"]


@pytest.mark.parametrize("messages", ["x", {"a": 1}, 1, [GOOD] * 11])
async def test_what_is_no_list_of_messages_is_said(messages: Any) -> None:
    client = answering(ReceiveMessage={"Messages": messages})
    queue = SqsQueue(client, "u", "arn:aws:sqs:us-east-1:000000000000:q", 30.0)
    with pytest.raises(SourceError, match="a list of at most 10 Messages is expected"):
        await queue.receive(10, 0)


@pytest.mark.parametrize(
    "seconds", ["abc", "nan", "inf", "-5", "1e3", "43201", "9" * 5000, None, []]
)
async def test_a_visibility_that_no_queue_has_is_refused(seconds: Any) -> None:
    """Messages are kept hidden by it: no endless wait, and no loop, may come of it."""
    client = answering(
        GetQueueUrl={"QueueUrl": "u"},
        GetQueueAttributes={"Attributes": {"VisibilityTimeout": seconds}},
    )
    spec = SimpleNamespace(event_source_arn="arn:aws:sqs:us-east-1:000000000000:q", endpoint=None)
    polled: Any = SimpleNamespace(
        mapping=SimpleNamespace(spec=spec),
        reference=SimpleNamespace(namespace="n", account="a"),
        services=SimpleNamespace(
            aws_clients=SimpleNamespace(client=lambda *_, **__: client)
        ),
    )  # fmt: skip
    with pytest.raises(SourceError, match="a VisibilityTimeout of 0 to 43200 seconds is expected"):
        await SqsSource(polled).check()


def test_what_waits_is_asked_of_the_queue(polling: Polling) -> None:
    """Whoever polls; and why it cannot be asked."""
    queue = polling.name()
    url = polling.mq.queue(queue)
    function, _ = polling.function()
    uuid = polling.map(queue, function)
    assert polling.backlog(uuid) == {"waiting": 0, "inFlight": 0}
    polling.pause(uuid)
    polling.mq.put(url, list("abc"))
    assert polling.backlog(uuid) == {"waiting": 3, "inFlight": 0}
    polling.mq.client.delete_queue(QueueUrl=url)
    assert "queue does not exist" in polling.backlog(uuid)["problem"]
