"""Kinesis data streams, at AWS or at whatever speaks its JSON protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight.aws.client import AwsService

from .stream import AwsStream, Page, Position, StreamRecord, StreamShard

if TYPE_CHECKING:
    from .source import PolledMapping

__all__ = ["KinesisStream"]


class KinesisStream(AwsStream):
    """A data stream."""

    service = AwsService("kinesis", "kinesis", "Kinesis_20131202", "1.1")
    batch_info = "KinesisBatchInfo"
    pause = 1.0
    precision = 0.001
    largest_page = 10_000

    def __init__(self, polled: PolledMapping) -> None:
        super().__init__(polled)
        self._name = self.arn.rpartition("/")[2]
        self._polled = polled
        self._role = ""

    async def shards(self) -> list[StreamShard]:
        """Return the shards of the stream's retention period."""
        found: list[StreamShard] = []
        asked: dict[str, Any] = {"StreamName": self._name}
        while True:
            answer = await self.call("ListShards", asked)
            found += map(_shard, answer.get("Shards") or ())
            if not (token := answer.get("NextToken")):
                return found
            asked = {"NextToken": token}

    async def iterator(self, shard: str, position: Position) -> str:
        """Begin to read a shard."""
        self._role = await self._polled.role()
        asked = {"StreamName": self._name, "ShardId": shard} | _iterator_type(position)
        return str((await self.call("GetShardIterator", asked))["ShardIterator"])

    async def read(self, shard: str, iterator: str, most: int) -> Page:
        """Read on."""
        answer = await self.call("GetRecords", {"ShardIterator": iterator, "Limit": most})
        records = [self._record(shard, one) for one in answer.get("Records") or ()]
        caught_up = not answer.get("MillisBehindLatest")
        return Page(records, answer.get("NextShardIterator"), caught_up)

    def _record(self, shard: str, given: dict[str, Any]) -> StreamRecord:
        """Make of a record what a function sees (Developer Guide, "Using Lambda with Kinesis")."""
        arrived_at = float(given["ApproximateArrivalTimestamp"])
        kinesis = {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": given["PartitionKey"],
            "sequenceNumber": given["SequenceNumber"],
            "data": given["Data"],
            "approximateArrivalTimestamp": arrived_at,
        }
        record = {
            "kinesis": kinesis,
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{given['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self._role,
            "awsRegion": self.region,
            "eventSourceARN": self.arn,
        }
        return StreamRecord(given["SequenceNumber"], given["PartitionKey"], arrived_at, record)


def _shard(given: dict[str, Any]) -> StreamShard:
    parents = (given.get("ParentShardId"), given.get("AdjacentParentShardId"))
    numbers = given["SequenceNumberRange"]
    closed = bool(numbers.get("EndingSequenceNumber"))
    start = str(numbers.get("StartingSequenceNumber") or "")
    return StreamShard(given["ShardId"], tuple(one for one in parents if one), closed, start)


def _iterator_type(position: Position) -> dict[str, Any]:
    if position.after:
        return {
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "StartingSequenceNumber": position.after,
        }
    if position.since is not None:
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": position.since}
    return {"ShardIteratorType": "LATEST" if position.latest else "TRIM_HORIZON"}
