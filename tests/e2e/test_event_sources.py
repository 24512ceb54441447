"""Queues on the cluster: polled by one gateway, whichever lives; moto stands in for AWS."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.support.cluster import kubectl, wait_until
from tests.support.platform import run_cli

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cluster import Installation

HANDLER = """
import time

def handler(event, context):
    for record in event["Records"]:
        time.sleep(0.05)
        print("handled", record["body"])
"""
MESSAGES = 200


def _mapping(platform: Installation, name: str, source: str, **more: Any) -> None:
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "EventSourceMapping",
        "metadata": {"name": name, "namespace": platform.account},
        "spec": {
            "function": name,
            "eventSourceArn": source,
            "endpoint": f"http://{platform.aws}",
            "batchSize": 5,
            **more,
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def _status(platform: Installation) -> dict[str, Any]:
    found = kubectl("get", "fnesm", "taker", "-n", platform.account, "-o", "json")
    status: dict[str, Any] = json.loads(found).get("status", {})
    return status


def _cli(platform: Installation, *arguments: str) -> str:
    ran = run_cli(
        *arguments, endpoint=platform.endpoint,
        AWS_ACCESS_KEY_ID=platform.access_key, AWS_SECRET_ACCESS_KEY=platform.secret_key,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.decode()


def _handled(platform: Installation, name: str) -> list[str]:
    """Return what a function says that it handled, as often as it did.

    A line that two gateways have brought is one line still: it is of one request.
    """
    lines = _cli(platform, "logs", name, "--limit", "10000", "-o", "json").splitlines()
    said = {(one["requestId"], one["message"].strip()) for one in map(json.loads, lines)}
    return [text.removeprefix("handled ") for _, text in said if text.startswith("handled ")]


def _readers(platform: Installation) -> list[str]:
    """Return the gateway that reads each shard of the stream."""
    shards = json.loads(_cli(platform, "mapping", "show", "reader", "-o", "json"))["shards"]
    return [shard["holder"] for shard in shards if shard["holder"]]


def test_a_queue_is_polled_on_after_its_gateway_dies(
    platform: Installation, aws: Callable[[str], Any]
) -> None:
    """Another holds the mapping soon, and every message is handled: only then is it deleted.

    What a gateway that is killed had not stored yet of the log is lost, so that tells less.
    """
    platform.apply("taker", HANDLER, timeout=10)
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "12"})["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    platform.wait_ready("taker")
    _mapping(platform, "taker", attributes["Attributes"]["QueueArn"])
    wait_until(lambda: bool(_status(platform).get("holder")), "a gateway polls")
    first = _status(platform)["holder"]
    for start in range(0, MESSAGES, 10):
        entries = [{"Id": str(n), "MessageBody": f"job-{n}"} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    wait_until(lambda: bool(_handled(platform, "taker")), "it has begun")
    pod = first.rpartition("-")[0]
    kubectl("delete", "pod", pod, "-n", platform.namespace, "--force", "--grace-period=0")
    wait_until(lambda: _status(platform)["holder"] not in {"", first}, "another gateway polls", 40)
    wait_until(lambda: _left(sqs, url) == 0, "every message is handled", 90)
    assert len(set(_handled(platform, "taker"))) > MESSAGES // 2


def _left(sqs: Any, url: str) -> int:
    """Count a queue's messages, hidden ones too."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def _shares(platform: Installation) -> list[int]:
    """Return how many shards each gateway reads, once each is read; the smaller number first."""
    readers = _readers(platform)
    return sorted(Counter(readers).values()) if len(readers) == SHARDS else []


STREAM_HANDLER = """
import base64, time

def handler(event, context):
    for record in event["Records"]:
        time.sleep(0.02)
        print("handled", base64.b64decode(record["kinesis"]["data"]).decode())
"""
SHARDS = 8


def test_shards_are_shared_and_move_to_whoever_is_left(
    platform: Installation, aws: Callable[[str], Any]
) -> None:
    """Both read some; one reads all while the other is drained; every record is read once."""
    platform.apply("reader", STREAM_HANDLER, timeout=10)
    kinesis = aws("kinesis")
    kinesis.create_stream(StreamName="work", ShardCount=SHARDS)
    arn = kinesis.describe_stream_summary(StreamName="work")["StreamDescriptionSummary"][
        "StreamARN"
    ]
    platform.wait_ready("reader")
    _mapping(platform, "reader", arn, startingPosition="TRIM_HORIZON")
    # Shares are equal of all that is leased: of mappings' lists and other tests' queues, too.
    wait_until(lambda: _shares(platform) >= [3, 3], "both read", 60)
    for start in range(0, MESSAGES, 50):
        records = [{"Data": f"record-{n}".encode(), "PartitionKey": str(n)}
                   for n in range(start, start + 50)]  # fmt: skip
        kinesis.put_records(StreamName="work", Records=records)
    drained = _readers(platform)[0]
    pod = drained.rpartition("-")[0]
    kubectl("delete", "pod", pod, "-n", platform.namespace, "--wait=false")
    wait_until(
        lambda: len(found := _readers(platform)) == SHARDS and drained not in found,
        "others read its shards", 60,
    )  # fmt: skip
    wanted = Counter(f"record-{n}" for n in range(MESSAGES))
    wait_until(lambda: set(_handled(platform, "reader")) == set(wanted), "all is read", 90)
    assert Counter(_handled(platform, "reader")) == wanted
