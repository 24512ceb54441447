"""Streams of DynamoDB's tables, at AWS or at whatever speaks their JSON protocol.

A shard lives for four hours, idle or not; its child takes over from it.
"""

from __future__ import annotations

import json
from typing import Any

from pilotlight.aws.client import AwsService

from .stream import AwsStream, Page, Position, StreamRecord, StreamShard

__all__ = ["DynamoDbStream"]


class DynamoDbStream(AwsStream):
    """The stream of a table."""

    service = AwsService("streams.dynamodb", "dynamodb", "DynamoDBStreams_20120810", "1.0")
    batch_info = "DDBStreamBatchInfo"
    pause = 0.25
    precision = 60.0  # DynamoDB local has whole minutes, AWS whole seconds
    largest_page = 1000

    async def shards(self) -> list[StreamShard]:
        """Return the shards of the last 24 hours."""
        found: list[StreamShard] = []
        asked: dict[str, Any] = {"StreamArn": self.arn}
        while True:
            answer = (await self.call("DescribeStream", asked))["StreamDescription"]
            found += map(_shard, answer.get("Shards") or ())
            if not (last := answer.get("LastEvaluatedShardId")):
                return found
            asked = {"StreamArn": self.arn, "ExclusiveStartShardId": last}

    async def iterator(self, shard: str, position: Position) -> str:
        """Begin to read a shard; a time is read from the oldest record on."""
        asked = {"StreamArn": self.arn, "ShardId": shard} | _iterator_type(position)
        return str((await self.call("GetShardIterator", asked))["ShardIterator"])

    async def read(self, shard: str, iterator: str, most: int) -> Page:
        """Read on."""
        del shard
        answer = await self.call("GetRecords", {"ShardIterator": iterator, "Limit": most})
        records = [self._record(one) for one in answer.get("Records") or ()]
        return Page(records, answer.get("NextShardIterator"), not records)

    def _record(self, given: dict[str, Any]) -> StreamRecord:
        """Make of a record what a function sees (Developer Guide, "Using Lambda with DynamoDB")."""
        change = given["dynamodb"]
        record = {
            "eventID": given["eventID"],
            "eventName": given["eventName"],
            "eventVersion": given.get("eventVersion", "1.1"),
            "eventSource": "aws:dynamodb",
            "awsRegion": given.get("awsRegion") or self.region,
            "dynamodb": change,
            "eventSourceARN": self.arn,
        }
        if identity := given.get("userIdentity"):  # of what its time to live deleted
            record["userIdentity"] = {
                "type": identity.get("Type"), "principalId": identity.get("PrincipalId"),
            }  # fmt: skip
        key = json.dumps(change.get("Keys"), sort_keys=True)
        arrived_at = float(change.get("ApproximateCreationDateTime", 0))
        return StreamRecord(change["SequenceNumber"], key, arrived_at, record)


def _shard(given: dict[str, Any]) -> StreamShard:
    parent = given.get("ParentShardId")
    closed = bool(given["SequenceNumberRange"].get("EndingSequenceNumber"))
    return StreamShard(given["ShardId"], (parent,) if parent else (), closed)


def _iterator_type(position: Position) -> dict[str, str]:
    if position.after:
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position.after}
    return {"ShardIteratorType": "LATEST" if position.latest else "TRIM_HORIZON"}
