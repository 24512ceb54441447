"""Streams of tables, on a real DynamoDB local: what differs from Kinesis."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import seen, until

if TYPE_CHECKING:
    from .conftest import Streaming

START = {"StartingPosition": "TRIM_HORIZON"}
NOTE = """
def handler(event, context):
    note(ids=[one["dynamodb"]["Keys"]["id"]["S"] for one in event["Records"]])
"""


def test_the_record_is_lambdas(streaming: Streaming) -> None:
    """Every member of an insertion, a change and a deletion, with old and new images."""
    name = streaming.name()
    arn = streaming.dynamodb.table(name)
    function, ledger = streaming.function(
        "def handler(event, context):\n    for one in event['Records']:\n        note(record=one)\n"
    )
    streaming.map_source(arn, function, **START)
    streaming.dynamodb.put(name, {"id": "1", "state": "new"}, {"id": "1", "state": "paid"})
    streaming.dynamodb.client.delete_item(TableName=name, Key={"id": {"S": "1"}})
    until(lambda: len(seen(ledger)) == 3)
    new, changed, gone = (note["record"] for note in seen(ledger))
    assert [one["eventName"] for one in (new, changed, gone)] == ["INSERT", "MODIFY", "REMOVE"]
    assert "OldImage" not in new["dynamodb"]
    assert changed["dynamodb"]["OldImage"]["state"] == {"S": "new"}
    assert "NewImage" not in gone["dynamodb"]
    change = new.pop("dynamodb")
    assert change.pop("ApproximateCreationDateTime") > 1_700_000_000
    assert re.fullmatch(r"\d+", change.pop("SequenceNumber"))
    assert change.pop("SizeBytes") > 0
    assert change == {
        "Keys": {"id": {"S": "1"}},
        "NewImage": {"id": {"S": "1"}, "state": {"S": "new"}},
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    assert new.pop("eventID")
    assert new == {
        "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "ddblocal", "eventSourceARN": arn,
    }  # fmt: skip


def test_poison_goes_to_the_destination_alone(streaming: Streaming) -> None:
    """With the batch named as a table's streams name it; what comes after it goes on."""
    name = streaming.name()
    arn = streaming.dynamodb.table(name)
    function, ledger = streaming.function(
        NOTE + "    assert 'poison' not in [one['dynamodb']['Keys']['id']['S'] "
        "for one in event['Records']]\n"
    )
    told, failures = streaming.failures()
    streaming.dynamodb.put(name, *({"id": one} for one in ("1", "2", "poison", "3", "4")))
    streaming.map_source(
        arn, function, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True, **START, **told
    )
    [failure] = until(failures)
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["DDBStreamBatchInfo"]["batchSize"] == 1
    assert failure["DDBStreamBatchInfo"]["streamArn"] == arn
    until(lambda: any(note["ids"][-1] == "4" for note in seen(ledger)[1:]))
    alone = [note["ids"] for note in seen(ledger) if note["ids"] == ["poison"]]
    assert len(alone) == 2
    assert len(failures()) == 1


def test_a_mapping_begins_with_what_comes_next(streaming: Streaming) -> None:
    """LATEST: what the table had before is not seen."""
    name = streaming.name()
    arn = streaming.dynamodb.table(name)
    streaming.dynamodb.put(name, {"id": "before"})
    function, ledger = streaming.function(NOTE)
    streaming.map_source(arn, function, StartingPosition="LATEST")
    until(lambda: any("since" in one.checkpoint for one in streaming.shards(function).values()))
    streaming.dynamodb.put(name, {"id": "after"})
    until(lambda: seen(ledger))
    assert [note["ids"] for note in seen(ledger)] == [["after"]]


def told(address: str) -> dict[str, Any]:
    return {"DestinationConfig": {"OnFailure": {"Destination": address}}}


def test_what_no_table_has_is_refused(streaming: Streaming) -> None:
    """In Lambda's words, and nothing is stored."""
    function, _ = streaming.function(NOTE)
    client = streaming.client
    arn = streaming.dynamodb.table(streaming.name())
    nowhere = arn.replace("table/", "table/not-")
    for source, members, text in (
        (arn, {"StartingPosition": "AT_TIMESTAMP"}, "Unsupported starting position"),
        (arn, {}, "startingPosition"),
        (nowhere, START, f"Stream not found: {nowhere}"),
        (arn, {**START, **told("arn:aws:lambda:us-east-1:000000000000:function:f")}, "SQS queue"),
        (arn, {**START, **told("kafka://topic")}, "SQS queue"),
        (arn, {**START, "MetricsConfig": {"Metrics": ["KafkaMetrics"]}}, "KafkaMetrics"),
        (arn, {**START, "ScalingConfig": {"MaximumConcurrency": 2}}, "not supported for DynamoDB"),
    ):
        with pytest.raises(client.exceptions.InvalidParameterValueException, match=text):
            client.create_event_source_mapping(
                EventSourceArn=source, FunctionName=function, **members
            )
    assert client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"] == []
