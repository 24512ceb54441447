"""The example of a table's stream, with the DynamoDB local that it asks for, and moto as AWS."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.dev_process import DevProcess
from tests.support.platform import run_cli

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.moto import Moto
    from tests.support.streams import DynamoDb

FANOUT = Path(__file__).parents[2] / "examples" / "fanout"
SECONDS = 30.0


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_an_order_that_is_saved_reaches_topic_and_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dynamodb: DynamoDb, moto: Moto
) -> None:
    """As the page of examples says; `mapping` shows the shard, and reads it anew when asked."""
    folder = tmp_path / "fanout"
    shutil.copytree(FANOUT, folder)
    sqs, sns = moto.client("sqs"), moto.client("sns")
    topic = sns.create_topic(Name="orders-saved")["TopicArn"]
    packing = sqs.create_queue(QueueName="orders-to-pack")["QueueUrl"]
    mails = sqs.create_queue(QueueName="mails")["QueueUrl"]
    mails_arn = sqs.get_queue_attributes(QueueUrl=mails, AttributeNames=["QueueArn"])
    endpoint = mails_arn["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
    stream = dynamodb.table("orders")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", dynamodb.url)
    state = tmp_path / "state"
    with DevProcess("--no-watch", "--aws-endpoint-url", moto.url, folder, state=state) as dev:
        client = boto3.client(
            "lambda", endpoint_url=dev.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        client.create_event_source_mapping(
            FunctionName="fanout", EventSourceArn=stream, StartingPosition="TRIM_HORIZON",
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )  # fmt: skip
        dynamodb.put("orders", {"id": "7", "item": "lamp"})

        def taken(url: str) -> list[str]:
            got = sqs.receive_message(QueueUrl=url).get("Messages") or []
            return [one["Body"] for one in got]

        wanted = {"id": "7", "item": "lamp"}
        assert json.loads(until(lambda: taken(packing))[0]) == wanted
        assert json.loads(json.loads(until(lambda: taken(mails))[0])["Message"]) == wanted

        def cli(*words: str) -> str:
            done = run_cli("mapping", *words, endpoint=dev.endpoint)
            assert done.returncode == 0, done.stderr
            return done.stdout.decode()

        [mapping] = json.loads(cli("list", "-o", "json"))
        name = mapping["metadata"]["name"]
        shown = cli("show", name)
        assert "ITERATOR AGE" in shown
        [row] = [line.split("  ") for line in shown.splitlines() if line.startswith("shardId")]
        cells = [one.strip() for one in row if one.strip()]
        assert (cells[1], cells[-1]) == ("local", "OK")
        sqs.purge_queue(QueueUrl=packing)
        assert f"{name} is read from TRIM_HORIZON on" in cli("reset", name, "TRIM_HORIZON")
        assert json.loads(until(lambda: taken(packing))[0]) == wanted
        refused = run_cli("mapping", "reset", name, "2026-01-01T00:00:00Z", endpoint=dev.endpoint)
        assert refused.returncode != 0
        assert b"have none for a time" in refused.stderr
