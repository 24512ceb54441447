"""Real streams of a test's own: kinesis-local and DynamoDB local, in small heaps."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.maven import jars_of
from tests.support.npm import package_of
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["DynamoDb", "Kinesis", "running_dynamodb", "running_kinesis"]

ACCOUNT, REGION = "000000000000", "us-east-1"
START_SECONDS = 60.0
CHANGE_MILLISECONDS = "50ms"
_DURATIONS = (
    "CREATE_STREAM_DURATION", "DELETE_STREAM_DURATION", "MERGE_SHARDS_DURATION",
    "SPLIT_SHARD_DURATION", "UPDATE_SHARD_COUNT_DURATION",
)  # fmt: skip
JAVA = ("-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def _client(service: str, url: str) -> Any:
    return boto3.client(
        service, endpoint_url=url, region_name=REGION,
        aws_access_key_id=ACCOUNT, aws_secret_access_key="test",
    )  # fmt: skip


class Kinesis:
    """What stands in for Kinesis."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.client = _client("kinesis", self.url)

    def stream(self, name: str, shards: int = 1) -> str:
        """Make a stream and wait until it is there; returns its ARN."""
        self.client.create_stream(StreamName=name, ShardCount=shards)
        return str(self.active(name)["StreamARN"])

    def active(self, name: str) -> dict[str, Any]:
        """Wait until a stream is not changing any more; returns what is known of it."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            found: dict[str, Any] = self.client.describe_stream_summary(StreamName=name)
            found = found["StreamDescriptionSummary"]
            if found["StreamStatus"] == "ACTIVE":
                return found
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def put(self, name: str, records: Sequence[tuple[str, bytes]]) -> None:
        """Put records, each a key and its data, in their order."""
        for start in range(0, len(records), 100):
            answer = self.client.put_records(
                StreamName=name,
                Records=[
                    {"PartitionKey": key, "Data": data}
                    for key, data in records[start : start + 100]
                ],
            )
            assert answer["FailedRecordCount"] == 0

    def split(self, name: str, shard: str) -> None:
        """Split a shard in the middle."""
        shards = self.client.list_shards(StreamName=name)["Shards"]
        [keys] = [one["HashKeyRange"] for one in shards if one["ShardId"] == shard]
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        self.client.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=str(middle))
        self.active(name)

    def open_shards(self, name: str) -> list[str]:
        """Return the shards that take records."""
        shards = self.client.list_shards(StreamName=name)["Shards"]
        return sorted(
            one["ShardId"]
            for one in shards
            if not one["SequenceNumberRange"].get("EndingSequenceNumber")
        )


class DynamoDb:
    """What stands in for DynamoDB and its streams."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.client = _client("dynamodb", self.url)
        self.streams = _client("dynamodbstreams", self.url)

    def table(self, name: str) -> str:
        """Make a table of items by `id` with a stream; returns the stream's ARN."""
        made = self.client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return str(made["TableDescription"]["LatestStreamArn"])

    def put(self, table: str, *items: Mapping[str, str]) -> None:
        """Put items whose attributes are all text."""
        for item in items:
            typed = {name: {"S": value} for name, value in item.items()}
            self.client.put_item(TableName=table, Item=typed)


def kinesis() -> Path:
    """Return the folder of kinesis-local's package."""
    return package_of("kinesis-local", "0.6.2")


def dynamodb_jars() -> Path:
    """Return the folder of DynamoDB local's jars."""
    return jars_of("software.amazon.dynamodb", "DynamoDBLocal", "3.3.1")


@contextmanager
def running_kinesis() -> Iterator[Kinesis]:
    """Run kinesis-local for as long as the block lasts."""
    folder, port = kinesis(), free_port()
    environment = {
        "KINESIS_MOCK_PLAIN_PORT": str(port), "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "AWS_ACCOUNT_ID": ACCOUNT, "AWS_REGION": REGION, "LOG_LEVEL": "ERROR",
        "SHARD_LIMIT": "200", **dict.fromkeys(_DURATIONS, CHANGE_MILLISECONDS),
    }  # fmt: skip
    words = ["node", "--max-old-space-size=512", "main.js"]
    with _running(words, port, cwd=folder, environment=environment):
        yield Kinesis(port)


@contextmanager
def running_dynamodb() -> Iterator[DynamoDb]:
    """Run DynamoDB local for as long as the block lasts."""
    jars, port = dynamodb_jars(), free_port()
    words = [
        "java", *JAVA, f"-Djava.library.path={jars}", "-cp", f"{jars}/*",
        "software.amazon.dynamodb.services.local.main.ServerRunner",
        "-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port),
    ]  # fmt: skip
    with _running(words, port):
        yield DynamoDb(port)


@contextmanager
def _running(
    words: Sequence[str],
    port: int,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    process = subprocess.Popen(
        words, cwd=cwd, env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port, process)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")
