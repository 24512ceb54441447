"""Event source mappings of SQS beside a plain consumer: `python -m benchmarks.event_sources`.

ElasticMQ is the queue of both. A backlog is drained, once by a mapping and once by a consumer of
the same client that calls the handler where it stands; then messages come at an even rate, and the
function says how old each is as it begins; then a hundred mappings have nothing to do. Queue,
platform, functions and whoever sends share the machine. docs/performance.md has a run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import boto3

from pilotlight.signing import Credentials, Signer
from tests.support.dev_process import DevProcess
from tests.support.elasticmq import ACCOUNT, REGION, ElasticMq, running_elasticmq
from tests.support.gateway import package

from .targets import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLER = """
import time
def handler(event, context):
    now = time.time() * 1000
    for record in event["Records"]:
        if record["body"].startswith("timed"):
            print("lag", now - int(record["attributes"]["SentTimestamp"]))
"""
RECEIVERS = 10
RATE = 20


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.event_sources", description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000, help="of the backlog")
    parser.add_argument("--seconds", type=float, default=30.0, help="of even traffic, and of none")
    parser.add_argument("--mappings", type=int, default=100, help="that idle")
    options = parser.parse_args()
    print("| what | measured |\n| --- | --- |")
    with (
        running_elasticmq() as mq,
        running_sink(HANDLER, "--aws-endpoint-url", mq.url) as (platform, client),
    ):
        plain = asyncio.run(_consume(mq, _backlog(mq, "plain", options.messages), options.messages))
        print(f"| plain consumer, messages a second | {plain:,.0f} |", flush=True)
        mapped = _drain(mq, client, options.messages)
        print(f"| mapping, messages a second | {mapped:,.0f} ({mapped / plain:.2f}) |", flush=True)
        lags = _lags(mq, client, platform, options.seconds)
        p50, p99 = statistics.median(lags), statistics.quantiles(lags, n=100)[98]
        print(f"| {RATE} a second, from arrival to start | p50 {p50:.0f}, p99 {p99:.0f} ms |")
        for number in range(options.mappings):
            mq.queue(f"idle-{number}")
            _map(client, f"idle-{number}")
        time.sleep(5)  # until all are polled
        before = cpu_seconds(platform.pid)
        time.sleep(options.seconds)
        share = (cpu_seconds(platform.pid) - before) / options.seconds
        print(f"| {options.mappings} idle mappings, CPU | {share:.1%} |")


@contextmanager
def running_sink(handler: str, *arguments: str) -> Iterator[tuple[DevProcess, Any]]:
    """Run local mode with the function `sink`."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "functions"
        empty.mkdir()
        with DevProcess(empty, *arguments, state=Path(folder) / "state") as process:
            client = boto3.client(
                "lambda", endpoint_url=process.endpoint, region_name=REGION,
                aws_access_key_id=ACCOUNT, aws_secret_access_key="test",
            )  # fmt: skip
            client.create_function(
                FunctionName="sink", Runtime="python3.13", Handler="main.handler",
                Role="arn:aws:iam::000000000000:role/any", Timeout=10,
                Code={"ZipFile": package({"main.py": handler})},
            )  # fmt: skip
            client.get_waiter("function_active_v2").wait(FunctionName="sink")
            yield process, client


def _backlog(mq: ElasticMq, name: str, messages: int) -> str:
    url = mq.queue(name, VisibilityTimeout="60")
    mq.put(url, [f"message {number}" for number in range(messages)])
    return url


def _map(client: Any, queue: str) -> None:
    client.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}", FunctionName="sink", BatchSize=10
    )


def _drain(mq: ElasticMq, client: Any, messages: int) -> float:
    """Have a mapping empty a queue; returns messages a second, its making included."""
    url = _backlog(mq, "mapped", messages)
    began = time.monotonic()
    _map(client, "mapped")
    while mq.counts(url) != (0, 0):
        time.sleep(0.2)
    return messages / (time.monotonic() - began)


def _lags(mq: ElasticMq, client: Any, platform: DevProcess, seconds: float) -> list[float]:
    """Send at an even rate; returns how old each message was as its function began, in ms."""
    url = mq.queue("even", VisibilityTimeout="60")
    _map(client, "even")
    sender, began, after = mq.client, time.monotonic() + 3, len(platform.lines)
    for number in range(int(seconds * RATE)):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        sender.send_message(QueueUrl=url, MessageBody=f"timed {number}")
    while mq.counts(url) != (0, 0):
        time.sleep(0.2)
    time.sleep(1)  # until the last lines are printed
    lines = [line for line in platform.lines[after:] if "lag " in line]
    return [float(line.rpartition("lag ")[2]) for line in lines]


async def _consume(mq: ElasticMq, url: str, messages: int) -> float:
    """Empty a queue as a plain consumer does; returns messages a second."""
    left = messages
    handler: dict[str, Any] = {}
    exec(HANDLER, handler)
    signer = Signer(Credentials("test", "test"), REGION, "sqs")

    async def call(session: aiohttp.ClientSession, operation: str, **document: Any) -> Any:
        body = json.dumps({"QueueUrl": url, **document}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        headers |= {"X-Amz-Target": f"AmazonSQS.{operation}"}
        signed = signer.sign("POST", mq.url + "/", body, headers)
        async with session.post(mq.url + "/", data=body, headers=signed) as answer:
            return await answer.json(content_type=None)

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal left
        while left > 0:
            asked = await call(
                session, "ReceiveMessage", MaxNumberOfMessages=10, AttributeNames=["All"]
            )
            found = asked.get("Messages") or []
            if found:
                records = [{"body": one["Body"], "attributes": one["Attributes"]} for one in found]
                handler["handler"]({"Records": records}, None)
                entries = [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]}
                           for at, one in enumerate(found)]  # fmt: skip
                await call(session, "DeleteMessageBatch", Entries=entries)
                left -= len(found)

    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work(session) for _ in range(RECEIVERS)))
    return messages / (time.monotonic() - began)


if __name__ == "__main__":
    main()
