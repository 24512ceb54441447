"""The delivery contract of streams (docs/events.md), on a real kinesis-local and real functions."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import bodies, seen, until

if TYPE_CHECKING:
    from .conftest import Streaming

BODIES = """
import base64
def bodies_of(event):
    return [base64.b64decode(one["kinesis"]["data"]).decode() for one in event["Records"]]
"""
NOTE = f"""
{BODIES}
def handler(event, context):
    note(bodies=bodies_of(event))
"""
START = {"StartingPosition": "TRIM_HORIZON"}
REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


def records(*texts: str, key: str = "k") -> list[tuple[str, bytes]]:
    return [(key, text.encode()) for text in texts]


def test_the_record_is_lambdas(streaming: Streaming) -> None:
    """Every member, its name and its type."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    function, ledger = streaming.function("def handler(event, context):\n    note(event=event)\n")
    streaming.map_source(arn, function, **START)
    streaming.kinesis.put(name, records("hello", key="me"))
    [note] = until(lambda: seen(ledger))
    assert list(note["event"]) == ["Records"]
    [record] = note["event"]["Records"]
    kinesis = record["kinesis"]
    number = kinesis.pop("sequenceNumber")
    assert abs(kinesis.pop("approximateArrivalTimestamp") - time.time()) < 60
    assert kinesis == {
        "kinesisSchemaVersion": "1.0", "partitionKey": "me",
        "data": base64.b64encode(b"hello").decode(),
    }  # fmt: skip
    del record["kinesis"]
    assert record == {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/test",
        "awsRegion": "us-east-1",
        "eventSourceARN": arn,
    }


def test_poison_in_every_batch_of_ten_goes_to_the_destination_alone(streaming: Streaming) -> None:
    """All of it, with reason and attempts; no good one; the order of each shard is kept."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name, 2)
    keys = ["a", "b", "c", "d"]
    mixed = [
        (key, f"{key} {'poison' if number % 10 == 7 else 'good'} {number:03}".encode())
        for number in range(50)
        for key in keys
    ]
    streaming.kinesis.put(name, mixed)
    source = f"""
{BODIES}
def handler(event, context):
    for record, body in zip(event["Records"], bodies_of(event)):
        note(bodies=[body], shard=record["eventID"].split(":")[0])
        if "poison" in body:
            return {{"batchItemFailures": [
                {{"itemIdentifier": record["kinesis"]["sequenceNumber"]}}
            ]}}
"""
    function, ledger = streaming.function(source)
    told, failures = streaming.failures()
    streaming.map_source(
        arn, function, BatchSize=10, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True,
        **START, **REPORT, **told,
    )  # fmt: skip
    until(lambda: len(failures()) == 20, 60)
    until(lambda: len({one for one in bodies(ledger) if "good" in one}) == 180)
    for failure in failures():
        assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert failure["requestContext"]["approximateInvokeCount"] >= 2
        assert failure["KinesisBatchInfo"]["batchSize"] == 1
    given_up = {one["KinesisBatchInfo"]["startSequenceNumber"] for one in failures()}
    assert given_up == poison_numbers(streaming, name)
    runs = Counter(bodies(ledger))
    assert all(runs[one] >= 2 for one in runs if "poison" in one)
    for key in keys:
        wanted = [data.decode() for of_key, data in mixed if of_key == key]
        firsts = [one for one in dict.fromkeys(bodies(ledger)) if one.startswith(f"{key} ")]
        assert firsts == wanted


def poison_numbers(streaming: Streaming, name: str) -> set[str]:
    client, found = streaming.kinesis.client, set[str]()
    for shard in streaming.kinesis.open_shards(name):
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        answer = client.get_records(ShardIterator=iterator)
        found |= {one["SequenceNumber"] for one in answer["Records"] if b"poison" in one["Data"]}
    return found


def test_a_failure_is_told_as_lambda_tells_it(streaming: Streaming) -> None:
    """To a queue what names the batch, to a bucket the batch, too, under the mapping's name."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    function, _ = streaming.function("def handler(event, context):\n    raise ValueError('no')\n")
    told, failures = streaming.failures()
    streaming.map_source(arn, function, MaximumRetryAttempts=0, **START, **told)
    streaming.kinesis.put(name, records("x"))
    [failure] = until(failures)
    info = failure.pop("KinesisBatchInfo")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(stamp, info.pop("approximateArrivalOfFirstRecord"))
    assert re.fullmatch(stamp, info.pop("approximateArrivalOfLastRecord"))
    assert info.pop("startSequenceNumber") == info.pop("endSequenceNumber")
    assert info == {"shardId": "shardId-000000000000", "batchSize": 1, "streamArn": arn}
    assert re.fullmatch(stamp, failure.pop("timestamp"))
    assert re.fullmatch("[0-9a-f-]{36}", failure["requestContext"].pop("requestId"))
    assert failure == {
        "version": "1.0",
        "requestContext": {
            "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
        },
    }  # fmt: skip


def test_a_bucket_gets_the_batch_itself(streaming: Streaming) -> None:
    """Under the mapping's UUID and the shard, with the whole event as its payload."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    s3 = streaming.moto.client("s3")
    bucket = name.lower()
    s3.create_bucket(Bucket=bucket)
    function, _ = streaming.function("def handler(event, context):\n    raise ValueError('no')\n")
    destination = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    uuid = streaming.map_source(
        arn, function, MaximumRetryAttempts=0, DestinationConfig=destination, **START
    )
    streaming.kinesis.put(name, records("x"))
    [found] = until(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    key = rf"aws/lambda/{uuid}/shardId-0{{12}}/\d{{4}}/\d\d/\d\d/[\dT.-]+-[0-9a-f-]{{36}}"
    assert re.fullmatch(key, found["Key"])
    record = json.load(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"])
    [sent] = json.loads(record["payload"])["Records"]
    assert base64.b64decode(sent["kinesis"]["data"]) == b"x"


def test_a_batch_is_retried_in_order_until_it_succeeds(streaming: Streaming) -> None:
    """Nothing passes it meanwhile, and the mapping says what is wrong."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    source = f"""
import os
{BODIES}
def handler(event, context):
    note(bodies=bodies_of(event))
    if not os.path.exists({str(streaming.folder / "go")!r}):
        raise ValueError("not yet")
"""
    function, ledger = streaming.function(source)
    uuid = streaming.map_source(arn, function, BatchSize=2, **START)
    streaming.kinesis.put(name, records("1", "2", "3", "4"))
    until(lambda: len(seen(ledger)) >= 2)
    until(
        lambda: streaming.mapping(uuid)["LastProcessingResult"] == "PROBLEM: Function call failed"
    )
    assert {tuple(note["bodies"]) for note in seen(ledger)} <= {("1",), ("1", "2")}
    (streaming.folder / "go").touch()
    until(lambda: "4" in bodies(ledger))
    assert list(dict.fromkeys(bodies(ledger))) == ["1", "2", "3", "4"]
    until(lambda: streaming.mapping(uuid)["LastProcessingResult"] == "OK")


def test_lanes_of_a_shard_run_beside_each_other_and_keep_keys_in_order(
    streaming: Streaming,
) -> None:
    """ParallelizationFactor: batches overlap, records of one key do not."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    source = f"""
import time
{BODIES}
def handler(event, context):
    began = time.time()
    time.sleep(0.2)
    note(bodies=bodies_of(event), began=began, ended=time.time())
"""
    streaming.kinesis.put(
        name, [(f"key{at % 8}", f"{at % 8}-{at:02}".encode()) for at in range(48)]
    )
    function, ledger = streaming.function(source)
    streaming.map_source(arn, function, BatchSize=3, ParallelizationFactor=4, **START)
    until(lambda: len(bodies(ledger)) == 48)
    notes = sorted(seen(ledger), key=lambda one: one["began"])
    overlap = [(a, b) for a, b in itertools.pairwise(notes) if b["began"] < a["ended"]]
    assert overlap
    for key in range(8):
        of_key = [note for note in notes if any(one[0] == str(key) for one in note["bodies"])]
        assert all(a["ended"] <= b["began"] for a, b in itertools.pairwise(of_key))
        mine = [one for note in of_key for one in note["bodies"] if one[0] == str(key)]
        assert mine == sorted(mine)


def test_shards_that_split_and_merge_are_followed_parents_first(streaming: Streaming) -> None:
    """Every record once, and those of one key in order, across two generations of shards."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    keys = [f"k{number}" for number in range(6)]
    wanted = {key: [f"{key} {number:02}" for number in range(15)] for key in keys}

    def put(part: slice) -> None:
        for key in keys:
            streaming.kinesis.put(name, records(*wanted[key][part], key=key))

    put(slice(0, 5))
    [first] = streaming.kinesis.open_shards(name)
    streaming.kinesis.split(name, first)
    put(slice(5, 10))
    left, right = streaming.kinesis.open_shards(name)
    streaming.kinesis.client.merge_shards(
        StreamName=name, ShardToMerge=left, AdjacentShardToMerge=right
    )
    streaming.kinesis.active(name)
    put(slice(10, 15))
    function, ledger = streaming.function(NOTE)
    streaming.map_source(arn, function, BatchSize=4, **START)
    until(lambda: len(bodies(ledger)) >= 90, 60)
    for key in keys:
        assert [one for one in bodies(ledger) if one.startswith(f"{key} ")] == wanted[key]


def test_a_shard_that_splits_while_it_is_read_is_followed(streaming: Streaming) -> None:
    """What began with the latest record reads all of what its children get."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    streaming.kinesis.put(name, records("before"))
    function, ledger = streaming.function(NOTE)
    streaming.map_source(arn, function, StartingPosition="LATEST")
    until(lambda: streaming.shards(function))
    streaming.kinesis.put(name, records("1"))
    until(lambda: bodies(ledger))
    [first] = streaming.kinesis.open_shards(name)
    streaming.kinesis.split(name, first)
    streaming.kinesis.put(name, records("2", "3"))
    until(lambda: bodies(ledger) == ["1", "2", "3"], 60)


def test_a_timestamp_is_where_reading_begins(streaming: Streaming) -> None:
    """What came before it is not seen."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    streaming.kinesis.put(name, records("old"))
    moment = streaming.after_a_moment()
    streaming.kinesis.put(name, records("new"))
    function, ledger = streaming.function(NOTE)
    streaming.map_source(
        arn, function, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment
    )
    until(lambda: bodies(ledger))
    assert bodies(ledger) == ["new"]


def test_a_throttle_is_no_retry(streaming: Streaming) -> None:
    """A function that may not run keeps its records, without a retry to spare."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    function, ledger = streaming.function(NOTE)
    streaming.client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    told, failures = streaming.failures()
    uuid = streaming.map_source(arn, function, MaximumRetryAttempts=0, **START, **told)
    streaming.kinesis.put(name, records("a"))
    until(lambda: "PROBLEM" in streaming.mapping(uuid)["LastProcessingResult"])
    assert bodies(ledger) == []
    streaming.client.delete_function_concurrency(FunctionName=function)
    until(lambda: bodies(ledger) == ["a"])
    assert failures() == []


def test_a_window_shares_its_state_and_ends_once(streaming: Streaming) -> None:
    """The sum over a window's batches comes with its last invocation, which has no records."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    source = f"""
{BODIES}
def handler(event, context):
    numbers = [int(one) for one in bodies_of(event)]
    total = event["state"].get("total", 0) + sum(numbers)
    note(numbers=numbers, total=total, members={{
        name: one for name, one in event.items() if name != "Records"
    }})
    return {{"state": {{"total": total}}}}
"""
    function, ledger = streaming.function(source)
    streaming.map_source(arn, function, BatchSize=2, TumblingWindowInSeconds=2, **START)
    streaming.kinesis.put(name, records(*map(str, range(1, 8))))

    def finals() -> list[dict[str, Any]]:
        return [one for one in seen(ledger) if one["members"]["isFinalInvokeForWindow"]]

    until(lambda: sum(one["total"] for one in finals()) == 28)
    assert all(one["numbers"] == [] for one in finals())
    windows = [one["members"]["window"]["start"] for one in finals()]
    assert len(set(windows)) == len(windows) <= 2
    members = seen(ledger)[0]["members"]
    assert set(members) == {
        "shardId", "eventSourceARN", "window", "state", "isFinalInvokeForWindow",
        "isWindowTerminatedEarly",
    }  # fmt: skip
    assert members["shardId"] == "shardId-000000000000"
    assert members["eventSourceARN"] == arn
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", members["window"]["end"])
    assert members["state"] == {}


def test_a_stream_that_is_not_there_is_refused(streaming: Streaming) -> None:
    """In Lambda's words, and nothing is stored."""
    function, _ = streaming.function(NOTE)
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/nowhere"
    client = streaming.client
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="Stream not found"):
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName=function, **START)
    assert client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"] == []


def test_metrics_tell_what_became_of_records(streaming: Streaming) -> None:
    """Polled, invoked, failed and dropped, and how old the last batch was."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    streaming.kinesis.put(name, records("poison", "fine"))
    function, ledger = streaming.function(
        f"{BODIES}\ndef handler(event, context):\n"
        "    assert 'poison' not in bodies_of(event)\n    note(bodies=bodies_of(event))\n"
    )
    streaming.map_source(arn, function, BatchSize=1, MaximumRetryAttempts=0, **START)
    until(lambda: bodies(ledger) == ["fine"])
    counts = {"polled": 2, "invoked": 2, "failed_invoke": 1, "dropped": 1}
    until(
        lambda: {one: streaming.metric(f"{one}_events_total", function) for one in counts} == counts
    )
    assert 0 < streaming.metric("iterator_age_seconds", function) < 60


def test_a_stream_is_read_anew_once_it_is_reset(streaming: Streaming) -> None:
    """From the oldest record, or from a time on; other positions are refused."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    function, ledger = streaming.function(NOTE)
    streaming.map_source(arn, function, **START)
    streaming.kinesis.put(name, records("1", "2"))
    until(lambda: bodies(ledger) == ["1", "2"])
    moment = datetime.fromtimestamp(streaming.after_a_moment(), UTC)
    streaming.kinesis.put(name, records("3"))
    until(lambda: bodies(ledger) == ["1", "2", "3"])
    assert streaming.reset(function, "TRIM_HORIZON") == 200
    until(lambda: bodies(ledger) == ["1", "2", "3", "1", "2", "3"])
    assert streaming.reset(function, moment.isoformat()) == 200
    until(lambda: bodies(ledger) == ["1", "2", "3", "1", "2", "3", "3"])
    for position in ("", "yesterday", "2026-01-01T00:00:00"):
        assert streaming.reset(function, position) == 400


def test_what_no_filter_lets_through_is_passed_over(streaming: Streaming) -> None:
    """The function never sees it, and the shard is read on behind it."""
    name = streaming.name()
    arn = streaming.kinesis.stream(name)
    function, ledger = streaming.function(NOTE)
    pattern = json.dumps({"data": {"kind": ["order"]}})
    streaming.map_source(arn, function, FilterCriteria={"Filters": [{"Pattern": pattern}]}, **START)
    other = json.dumps({"kind": "other"})
    streaming.kinesis.put(name, records(other, '{"kind": "order"}', "no json", other))
    until(lambda: bodies(ledger))
    until(lambda: streaming.metric("filtered_out_events_total", function) == 3)
    assert bodies(ledger) == ['{"kind": "order"}']

    def last() -> str:
        [shard] = streaming.shards(function).values()
        return str(json.loads(shard.checkpoint)["position"]["after"])

    [shard] = streaming.kinesis.open_shards(name)
    client = streaming.kinesis.client
    iterator = client.get_shard_iterator(
        StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    until(
        lambda: (
            last() == client.get_records(ShardIterator=iterator)["Records"][-1]["SequenceNumber"]
        )
    )
