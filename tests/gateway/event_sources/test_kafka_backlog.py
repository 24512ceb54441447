"""What large and many records of Kafka cost others, and what becomes of one that is too large."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

from .conftest import bodies, seen, until
from .test_kafka import NOTE, mapped, source

if TYPE_CHECKING:
    from tests.support.kafka import Kafka

    from .conftest import Polling

SLOW = """
import time
def handler(event, context):
    [records] = event["records"].values()
    note(at=time.time(), records=len(records))
    time.sleep(0.3)  # longer than brokers' next answer is put off for records that wait here
"""


def test_a_partition_does_not_wait_for_a_silent_one(polling: Polling, kafka: Kafka) -> None:
    """While a function works on one's records, brokers are asked for the others' alone."""
    topic = polling.name()
    kafka.topic(topic, partitions=2)
    function, ledger = polling.function(SLOW)
    mapped(polling, function, **source(kafka, topic, BatchSize=5))
    kafka.put(topic, ["x" * 100_000 for _ in range(40)], partition=0)  # four fetches
    until(lambda: sum(note["records"] for note in seen(ledger)) == 40)
    moments = [note["at"] for note in seen(ledger)]
    assert max(after - before for before, after in pairwise(moments)) < 3


def test_a_record_that_no_event_may_hold_is_given_up(polling: Polling, kafka: Kafka) -> None:
    """With Lambda's word for it, and nothing said of a run that was none; those around it run."""
    topic, dead = polling.name(), polling.name()
    dead_url = polling.mq.queue(dead)
    kafka.topic(topic)
    kafka.put(topic, ["before", "x" * (5 << 20), "after"])
    function, ledger = polling.function(NOTE)
    uuid = mapped(
        polling, function, **source(kafka, topic),
        DestinationConfig={"OnFailure": {"Destination": polling.arn(dead)}},
    )  # fmt: skip
    until(lambda: kafka.committed(uuid, topic) == 3)
    assert bodies(ledger) == ["before", "after"]
    until(lambda: polling.mq.counts(dead_url)[0] == 1)
    [record] = map(json.loads, polling.mq.bodies(dead_url))
    assert record["requestContext"]["condition"] == "MaximumPayloadSizeExceeded"
    assert record.get("responseContext") is None
    assert record["KafkaBatchInfo"]["recordsInfo"][f"{topic}-0"]["firstRecordOffset"] == "1"


def test_what_waits_is_asked_of_all_partitions(polling: Polling, kafka: Kafka) -> None:
    """Whoever polls, and without being one of the group."""
    topic = polling.name()
    kafka.topic(topic, partitions=3)
    function, _ = polling.function(NOTE)
    uuid = mapped(polling, function, **source(kafka, topic))
    until(lambda: polling.backlog(uuid)["waiting"] == 0)
    polling.pause(uuid)
    for partition in range(3):
        kafka.put(topic, list("ab"), partition=partition)
    assert polling.backlog(uuid) == {"waiting": 6, "inFlight": None}
