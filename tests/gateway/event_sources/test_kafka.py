"""The delivery contract of Kafka (docs/events.md), on a real broker and real functions."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.resources import EventSourceMapping, Key, Secret
from tests.support.kafka import PASSWORD, USER
from tests.support.mappings import apply_mapping, make_secret

from .conftest import bodies, seen, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.kafka import Kafka

    from .conftest import Polling

NOTE = """
import base64
def values(event):
    [(partition, records)] = event["records"].items()
    return partition, [base64.b64decode(one["value"]).decode() for one in records]

def handler(event, context):
    partition, found = values(event)
    note(partition=partition, bodies=found)
"""
POISON = NOTE.replace(
    "    note(",
    """    if any(one.startswith("poison") for one in found):
        note(failed=found, bodies=[])
        raise ValueError("poison")
    note(""",
)


def source(kafka: Kafka, topic: str, **members: Any) -> dict[str, Any]:
    """Return what a mapping says of a topic."""
    common = {"Topics": [topic], "StartingPosition": "TRIM_HORIZON"}
    return brokers(kafka.servers) | common | members


def brokers(servers: str) -> dict[str, Any]:
    return {"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [servers]}}}


def mapped(polling: Polling, function: str, **members: Any) -> str:
    """Map a topic to a function and wait until it is polled; returns the UUID."""
    made = polling.client.create_event_source_mapping(FunctionName=function, **members)
    uuid = str(made["UUID"])
    until(lambda: polling.mapping(uuid)["State"] == "Enabled")
    return uuid


def test_the_event_is_lambdas(polling: Polling, kafka: Kafka) -> None:
    """Every member, its name and its type."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, ["hello"], key=b"k", headers=[("name", b"v\xff")])
    function, ledger = polling.function("def handler(event, context):\n    note(event=event)\n")
    mapped(polling, function, **source(kafka, topic))
    [note] = until(lambda: seen(ledger))
    [record] = note["event"]["records"][f"{topic}-0"]
    assert abs(record.pop("timestamp") / 1000 - time.time()) < 60
    assert note["event"] == {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": kafka.servers,
        "records": {
            f"{topic}-0": [
                {
                    "topic": topic, "partition": 0, "offset": 0, "timestampType": "CREATE_TIME",
                    "key": base64.b64encode(b"k").decode(),
                    "value": base64.b64encode(b"hello").decode(),
                    "headers": [{"name": [118, 255]}],
                }
            ]
        },
    }  # fmt: skip


def test_what_succeeds_is_committed(polling: Polling, kafka: Kafka) -> None:
    """Every record once, in order, in batches of at most the size, and counted."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, [str(number) for number in range(57)])
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, function, **source(kafka, topic, BatchSize=7))
    until(lambda: kafka.committed(uuid, topic) == 57)
    assert bodies(ledger) == [str(number) for number in range(57)]
    assert max(len(note["bodies"]) for note in seen(ledger)) == 7
    until(lambda: polling.mapping(uuid)["LastProcessingResult"] == "OK")
    for name in ("polled_events_total", "invoked_events_total"):
        assert polling.metric(name, function) == 57


def test_poison_in_every_batch(polling: Polling, kafka: Kafka) -> None:
    """All of it at the destination with reason and tries, no good record there, order kept."""
    topic, dead = polling.name(), polling.name()
    dead_url = polling.mq.queue(dead)
    kafka.topic(topic, partitions=2)
    mixed = {
        partition: [f"{partition}-{number:02}" if number % 10 else f"poison-{partition}-{number:02}"
                    for number in range(50)]
        for partition in range(2)
    }  # fmt: skip
    for partition, values in mixed.items():
        kafka.put(topic, values, partition=partition)
    function, ledger = polling.function(POISON)
    uuid = mapped(
        polling, function,
        **source(kafka, topic, BatchSize=10, BisectBatchOnFunctionError=True),
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": polling.arn(dead)}},
    )  # fmt: skip
    until(lambda: all(kafka.committed(uuid, topic, one) == 50 for one in mixed), 60)
    for partition, values in mixed.items():
        found = [one for note in seen(ledger) if note.get("partition") == f"{topic}-{partition}"
                 for one in note["bodies"]]  # fmt: skip
        assert found == [one for one in values if not one.startswith("poison")]
    until(lambda: polling.mq.counts(dead_url)[0] == 10)
    records = [json.loads(one) for one in polling.mq.bodies(dead_url)]
    offsets: Counter[tuple[str, int]] = Counter()
    for record in records:
        assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert record["responseContext"]["functionError"] == "Unhandled"
        info = record["KafkaBatchInfo"]
        assert (info["batchSize"], info["bootstrapServers"]) == (1, kafka.servers)
        assert info["payloadSize"] > 0
        [(name, told)] = info["recordsInfo"].items()
        assert told["firstRecordOffset"] == told["lastRecordOffset"]
        offsets[name, int(told["firstRecordOffset"])] += 1
    assert offsets == {(f"{topic}-{one}", at): 1 for one in mixed for at in range(0, 50, 10)}


def test_how_far_behind_it_is(polling: Polling, kafka: Kafka) -> None:
    """Counted from what is done with: a batch that fails leaves all behind, until it does not."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, list("abc"))
    flag = polling._folder / "good"
    function, ledger = polling.function(
        NOTE
        + f"    import os\n    if not os.path.exists({str(flag)!r}):\n        raise ValueError\n"
    )
    uuid = mapped(polling, function, **source(kafka, topic))
    until(lambda: polling.metric("lag_records", function) == 3)
    assert polling.mapping(uuid)["LastProcessingResult"] == "PROBLEM: Function call failed"
    flag.touch()
    until(lambda: kafka.committed(uuid, topic) == 3)
    until(lambda: polling.metric("lag_records", function) == 0)
    assert set(map(tuple, [note["bodies"] for note in seen(ledger)])) == {tuple("abc")}


def test_partial_responses_name_partition_and_offset(polling: Polling, kafka: Kafka) -> None:
    """What comes before the first that failed is done with; the rest comes again."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, list("abcdef"))
    handler = (
        NOTE
        + """
    if found[0] == "a":
        return {"batchItemFailures": [{"itemIdentifier": {"partition": partition, "offset": 3}}]}
"""
    )
    function, ledger = polling.function(handler)
    report = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
    uuid = mapped(polling, function, **source(kafka, topic), **report)
    until(lambda: kafka.committed(uuid, topic) == 6)
    assert [note["bodies"] for note in seen(ledger)] == [list("abcdef"), list("def")]


@pytest.mark.parametrize("position", ["LATEST", "AT_TIMESTAMP"])
def test_where_reading_begins(polling: Polling, kafka: Kafka, position: str) -> None:
    """With what comes, or what came since; and there it goes on after a pause."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, ["before"])
    function, ledger = polling.function(NOTE)
    until(lambda: time.time() % 1 < 0.5)  # a timestamp is told in milliseconds, and later than that
    members: dict[str, Any] = {"StartingPosition": position}
    if position == "AT_TIMESTAMP":
        members["StartingPositionTimestamp"] = time.time() + 0.01
    uuid = mapped(polling, function, **source(kafka, topic, **members))
    until(lambda: kafka.committed(uuid, topic) == 1)
    kafka.put(topic, ["after"])
    until(lambda: bodies(ledger) == ["after"])
    until(lambda: kafka.committed(uuid, topic) == 2)
    polling.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    until(lambda: polling.mapping(uuid)["State"] == "Disabled")
    kafka.put(topic, ["during"])
    polling.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    until(lambda: bodies(ledger) == ["after", "during"])


def test_the_groups_name_is_the_mappings(polling: Polling, kafka: Kafka) -> None:
    """A group that is named goes on where it stands, whatever the starting position."""
    topic, group = polling.name(), polling.name()
    kafka.topic(topic)
    kafka.put(topic, ["a"])
    function, ledger = polling.function(NOTE)
    config = {"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group}}
    uuid = mapped(polling, function, **source(kafka, topic), **config)
    until(lambda: kafka.committed(group, topic) == 1)
    polling.client.delete_event_source_mapping(UUID=uuid)
    kafka.put(topic, ["b"])
    mapped(polling, function, **source(kafka, topic), **config)
    until(lambda: kafka.committed(group, topic) == 2)
    assert bodies(ledger) == ["a", "b"]


def test_what_no_filter_lets_through_is_committed(polling: Polling, kafka: Kafka) -> None:
    """The function never sees it, and the group has it behind."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, [json.dumps({"n": number}) for number in range(20)])
    function, ledger = polling.function(NOTE)
    pattern = json.dumps({"value": {"n": [{"numeric": ["<", 5]}]}})
    criteria = {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}
    uuid = mapped(polling, function, **source(kafka, topic), **criteria)
    until(lambda: kafka.committed(uuid, topic) == 20)
    assert bodies(ledger) == [json.dumps({"n": number}) for number in range(5)]
    assert polling.metric("filtered_out_events_total", function) == 15


def test_a_cluster_of_msk(polling: Polling, kafka: Kafka) -> None:
    """By its ARN, where the mapping says where its brokers are."""
    topic, arn = polling.name(), "arn:aws:kafka:us-east-1:000000000000:cluster/tests/0-1"
    kafka.topic(topic)
    kafka.put(topic, ["a"])
    function, ledger = polling.function("def handler(event, context):\n    note(event=event)\n")
    spec = {
        "function": function, "eventSourceArn": arn, "endpoint": f"kafka://{kafka.servers}",
        "topics": [topic], "startingPosition": "TRIM_HORIZON",
    }  # fmt: skip
    apply_mapping(polling.harness, topic, spec)
    [note] = until(lambda: seen(ledger))
    assert note["event"].pop("records")
    assert note["event"] == {
        "eventSource": "aws:kafka", "eventSourceArn": arn, "bootstrapServers": kafka.servers,
    }  # fmt: skip
    with pytest.raises(ClientError, match="no brokers are named"):
        polling.client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, Topics=[f"{topic}-2"],
            StartingPosition="LATEST",
        )  # fmt: skip


def test_a_broker_that_restarts(polling: Polling, kafka: Kafka) -> None:
    """The mapping says that nobody answers, and goes on by itself: nothing lost, nothing twice."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, ["a"])
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, function, **source(kafka, topic))
    until(lambda: kafka.committed(uuid, topic) == 1)
    kafka.stop()
    try:
        until(lambda: "cannot be reached" in polling.mapping(uuid)["StateTransitionReason"])
    finally:
        kafka.start()
    kafka.put(topic, ["b"])
    until(lambda: bodies(ledger) == ["a", "b"], 60)
    until(lambda: polling.mapping(uuid)["StateTransitionReason"] == "USER_INITIATED")


def tls(polling: Polling, kafka: Kafka, name: str) -> dict[str, Any]:
    issued = kafka.certificates
    make_secret(polling.harness, name, certificate=issued.client, privateKey=issued.client_key)
    make_secret(polling.harness, f"{name}-ca", certificate=issued.authority)
    return {
        "servers": kafka.tls_servers,
        "access": [
            {"Type": "CLIENT_CERTIFICATE_TLS_AUTH", "URI": name},
            {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": f"{name}-ca"},
        ],
    }


def sasl(kind: str) -> Callable[[Polling, Kafka, str], dict[str, Any]]:
    def prepare(polling: Polling, kafka: Kafka, name: str) -> dict[str, Any]:
        make_secret(polling.harness, name, username=USER, password=PASSWORD)
        arn = f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}"
        return {"servers": kafka.sasl_servers, "access": [{"Type": kind, "URI": arn}]}

    return prepare


@pytest.mark.parametrize(
    "prepare",
    [sasl("BASIC_AUTH"), sasl("SASL_SCRAM_256_AUTH"), sasl("SASL_SCRAM_512_AUTH"), tls],
    ids=["plain", "scram-256", "scram-512", "mtls"],
)
def test_credentials(
    polling: Polling, kafka: Kafka, prepare: Callable[[Polling, Kafka, str], dict[str, Any]]
) -> None:
    """From Secrets of the account, by their name or Lambda's ARN of it."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, ["a"])
    given = prepare(polling, kafka, topic)
    function, ledger = polling.function(NOTE)
    mapped(
        polling, function,
        **source(kafka, topic, SourceAccessConfigurations=given["access"])
        | brokers(given["servers"]),
    )  # fmt: skip
    until(lambda: bodies(ledger) == ["a"])


def test_credentials_that_are_wrong_are_told_and_renewed(polling: Polling, kafka: Kafka) -> None:
    """At creation by an error; of a manifest in its state, until the Secret is right."""
    topic = polling.name()
    kafka.topic(topic)
    kafka.put(topic, ["a"])
    make_secret(polling.harness, topic, username=USER, password="wrong")
    function, ledger = polling.function(NOTE)
    spec = {
        "function": function, "topics": [topic], "startingPosition": "TRIM_HORIZON",
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [kafka.sasl_servers]}},
        "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": topic}],
    }  # fmt: skip
    uuid = apply_mapping(polling.harness, topic, spec)
    until(lambda: "Invalid username or password" in polling.mapping(uuid)["StateTransitionReason"])
    stored = json.loads(polling.harness.get(f"/-/eventsourcemappings/{topic}")[2])
    assert stored["status"]["conditions"][0]["reason"] == "AccessDenied"
    harness = polling.harness
    found = harness.call(harness.resources.get(Secret, Key("default", topic)))
    right = found.model_copy(update={"string_data": {"username": USER, "password": PASSWORD}})
    harness.call(harness.resources.replace(right))
    until(lambda: bodies(ledger) == ["a"])
    until(lambda: polling.mapping(uuid)["StateTransitionReason"] == "USER_INITIATED")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"Topics": ["nobody"]}, "Topic nobody does not exist on the cluster"),
    ({"Topics": []}, "A topic is expected in Topics."),
    (
        brokers("127.0.0.1:1"),
        "127.0.0.1:1 cannot be reached",
    ),
    ({"StartingPosition": None}, "Value null at 'startingPosition'"),
    ({"ParallelizationFactor": 2}, "parallelizationFactor is not supported for Kafka"),
    (
        {"DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}},
        "On-failure destinations kafka://TOPIC are not supported yet.",
    ),
    (
        {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "missing"}]},
        "Secret missing is not in namespace default",
    ),
    (
        {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "unlabelled"}]},
        "Secret unlabelled is none for functions",
    ),
]


@pytest.mark.parametrize(("members", "text"), BAD)
def test_what_is_wrong_is_said(
    polling: Polling, kafka: Kafka, members: dict[str, Any], text: str
) -> None:
    """And nothing is stored."""
    topic = polling.name()
    kafka.topic(topic)
    if "unlabelled" in str(members):
        make_secret(polling.harness, "unlabelled", labelled=False, username=USER, password=PASSWORD)
    function, _ = polling.function(NOTE)
    given = {name: value for name, value in source(kafka, topic, **members).items() if value}
    with pytest.raises(ClientError) as error:
        polling.client.create_event_source_mapping(FunctionName=function, **given)
    assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert text in error.value.response["Error"]["Message"]
    assert not [
        one for one in polling.harness.cache.all(EventSourceMapping)
        if one.spec.function == function
    ]  # fmt: skip
