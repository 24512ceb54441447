"""Mappings of Kafka beside a plain consumer: `python -m benchmarks.event_sources_kafka`.

A backlog is drained, once by a mapping and once by a consumer of the same client that calls the
handler where it stands, with the event that a function would get, and commits batch by batch. They
take turns, each with a topic of its own. Broker, platform, functions and whoever sends share the
machine. docs/performance.md has a run.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.support.kafka import Kafka, running_kafka

from .event_sources import running_sink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

HANDLER = """
import base64
def handler(event, context):
    for records in event["records"].values():
        for record in records:
            base64.b64decode(record["value"])
"""
PARTITIONS = 4
BYTES = 100
"""Of a message."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.event_sources_kafka", description=__doc__
    )
    parser.add_argument("--messages", type=int, default=200_000, help="of a backlog")
    parser.add_argument("--batch", type=int, default=1_000, help="messages of a batch, at most")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    plain, mapped = [], []
    with running_kafka() as kafka, running_sink(HANDLER) as (_, client):
        for number in range(options.rounds):
            for rates, consume in ((plain, _consume), (mapped, _map)):
                topic = f"{consume.__name__}-{number}"
                kafka.topic(topic, PARTITIONS)
                asyncio.run(_fill(kafka, topic, options.messages))
                rates.append(consume(kafka, client, topic, options.messages, options.batch))
            print(f"round {number}: plain {plain[-1]:,.0f}, mapping {mapped[-1]:,.0f}", flush=True)
    ratios = [one / other for one, other in zip(mapped, plain, strict=True)]
    print("| what | median | of |\n| --- | --- | --- |")
    print(f"| plain consumer, messages a second | {_shown(plain)}")
    print(f"| mapping, messages a second | {_shown(mapped)}")
    print(f"| ratio | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |")


def _shown(rates: Sequence[float]) -> str:
    return f"{statistics.median(rates):,.0f} | {min(rates):,.0f} to {max(rates):,.0f} |"


async def _fill(kafka: Kafka, topic: str, messages: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.servers, linger_ms=5) as producer:
        for number in range(messages):
            await producer.send(topic, b"%0*d" % (BYTES, number), partition=number % PARTITIONS)


def _map(kafka: Kafka, client: Any, topic: str, messages: int, batch: int) -> float:
    """Have a mapping empty a topic; returns messages a second, its making included."""
    group, began = str(uuid.uuid4()), time.monotonic()
    made = client.create_event_source_mapping(
        FunctionName="sink", Topics=[topic], StartingPosition="TRIM_HORIZON", BatchSize=batch,
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [kafka.servers]}},
        SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": group},
    )  # fmt: skip
    asyncio.run(_until_committed(kafka, group, topic, messages))
    rate = messages / (time.monotonic() - began)
    client.delete_event_source_mapping(UUID=made["UUID"])
    return rate


async def _until_committed(kafka: Kafka, group: str, topic: str, messages: int) -> None:
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=kafka.servers, group_id=group) as consumer:
        while sum([await consumer.committed(one) or 0 for one in partitions]) < messages:  # noqa: ASYNC110  a broker tells nobody
            await asyncio.sleep(0.1)


def _consume(kafka: Kafka, client: Any, topic: str, messages: int, batch: int) -> float:
    """Empty a topic as a plain consumer does; returns messages a second."""
    del client
    handler: dict[str, Any] = {}
    exec(HANDLER, handler)

    async def run() -> float:
        left, began = messages, time.monotonic()
        async with AIOKafkaConsumer(
            topic, bootstrap_servers=kafka.servers, group_id=topic, enable_auto_commit=False,
            auto_offset_reset="earliest",
        ) as consumer:  # fmt: skip
            while left:
                for partition, found in (
                    await consumer.getmany(timeout_ms=500, max_records=batch)
                ).items():
                    records = {f"{topic}-{partition.partition}": list(map(_record, found))}
                    handler["handler"]({"records": records}, None)
                    await consumer.commit({partition: found[-1].offset + 1})
                    left -= len(found)
        return messages / (time.monotonic() - began)

    return asyncio.run(run())


def _record(given: ConsumerRecord) -> dict[str, Any]:
    """Make of a record what the handler expects."""
    key = {} if given.key is None else {"key": base64.b64encode(given.key).decode()}
    return {
        "topic": given.topic, "partition": given.partition, "offset": given.offset,
        "timestamp": given.timestamp, "timestampType": "CREATE_TIME", **key,
        "value": base64.b64encode(given.value).decode(), "headers": [],
    }  # fmt: skip


if __name__ == "__main__":
    main()
