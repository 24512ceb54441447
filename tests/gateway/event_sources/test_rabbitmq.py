"""The delivery contract of RabbitMQ (docs/events.md), on a real broker and real functions."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.resources import EventSourceMapping
from tests.support.mappings import apply_mapping, make_secret

from .conftest import bodies, seen, until

if TYPE_CHECKING:
    from tests.support.rabbitmq import RabbitMq

    from .conftest import Polling

ARN = "arn:aws:mq:us-east-1:000000000000:broker:tests:b-1"
NOTE = """
import base64
def handler(event, context):
    [(queue, messages)] = event["rmqMessagesByQueue"].items()
    found = [base64.b64decode(one["data"]).decode() for one in messages]
    note(queue=queue, bodies=found, redelivered=[one["redelivered"] for one in messages])
"""


def mapped(polling: Polling, rabbitmq: RabbitMq, queue: str, function: str, **members: Any) -> str:
    """Map a queue to a function, with a Secret of its own; returns the UUID."""
    password = members.pop("password", rabbitmq.password)
    make_secret(polling.harness, queue, username=rabbitmq.user, password=password)
    spec = {
        "function": function, "eventSourceArn": ARN, "endpoint": rabbitmq.url, "queues": [queue],
        "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": queue}],
    }  # fmt: skip
    return apply_mapping(polling.harness, queue, spec | members)


def test_the_event_is_lambdas(polling: Polling, rabbitmq: RabbitMq) -> None:
    """Every member, its name and its type; those of a message that says nothing are null."""
    queue = polling.name()
    rabbitmq.queue(queue)
    function, ledger = polling.function("def handler(event, context):\n    note(event=event)\n")
    rabbitmq.put(
        queue, ["hello"], content_type="text/plain", priority=34, expiration=60,
        headers={"header1": "value1", "numberInHeader": 10}, app_id="app", message_id="m-1",
        timestamp=datetime(1970, 1, 1, 12, 33, 41, tzinfo=UTC),
    )  # fmt: skip
    mapped(polling, rabbitmq, queue, function)
    [note] = until(lambda: seen(ledger))
    assert note["event"] == {
        "eventSource": "aws:rmq",
        "eventSourceArn": ARN,
        "rmqMessagesByQueue": {
            f"{queue}::/": [
                {
                    "basicProperties": {
                        "contentType": "text/plain", "contentEncoding": None,
                        "headers": {
                            "header1": {"bytes": [118, 97, 108, 117, 101, 49]},
                            "numberInHeader": 10,
                        },
                        "deliveryMode": 2, "priority": 34, "correlationId": None, "replyTo": None,
                        "expiration": "60000", "messageId": "m-1",
                        "timestamp": "Jan 1, 1970, 12:33:41 PM", "type": None, "userId": None,
                        "appId": "app", "clusterId": None, "bodySize": 5,
                    },
                    "redelivered": False,
                    "data": base64.b64encode(b"hello").decode(),
                }
            ]
        },
    }  # fmt: skip


def test_what_succeeds_is_acknowledged(polling: Polling, rabbitmq: RabbitMq) -> None:
    """Every message once, in batches of at most the size; what filters leave out is, too."""
    queue = polling.name()
    rabbitmq.queue(queue)
    rabbitmq.put(queue, [json.dumps({"n": number}) for number in range(57)])
    function, ledger = polling.function(NOTE)
    pattern = json.dumps({"data": {"n": [{"numeric": ["<", 50]}]}})
    uuid = mapped(
        polling, rabbitmq, queue, function,
        batchSize=7, filterCriteria={"filters": [{"pattern": pattern}]},
    )  # fmt: skip
    until(lambda: polling.metric("deleted_events_total", function) == 57)
    assert Counter(bodies(ledger)) == Counter(json.dumps({"n": number}) for number in range(50))
    assert max(len(note["bodies"]) for note in seen(ledger)) <= 7
    until(lambda: polling.mapping(uuid)["LastProcessingResult"] == "OK")
    polling.client.delete_event_source_mapping(UUID=uuid)
    until(lambda: polling.harness.call(_leases(polling, uuid)) == [])
    assert rabbitmq.ready(queue) == 0


async def _leases(polling: Polling, uuid: str) -> list[Any]:
    events = polling.harness.gateway.services.events
    return [one for one in await events.source_leases.shards(uuid) if one.holder]


def test_what_fails_comes_again_until_the_broker_has_enough(
    polling: Polling, rabbitmq: RabbitMq
) -> None:
    """Marked as redelivered; a quorum queue's limit brings poison to its dead letters, alone."""
    queue, dead = polling.name(), polling.name()
    rabbitmq.queue(dead)
    rabbitmq.queue(
        queue, **{"x-queue-type": "quorum", "x-delivery-limit": 2, "x-dead-letter-exchange": "",
                  "x-dead-letter-routing-key": dead},
    )  # fmt: skip
    rabbitmq.put(queue, ["good 1", "poison", "good 2"])
    fails = '    if "poison" in found:\n        raise ValueError("poison")\n'
    function, ledger = polling.function(NOTE + fails)
    uuid = mapped(polling, rabbitmq, queue, function, batchSize=1)
    until(lambda: rabbitmq.ready(dead) == 1)
    assert rabbitmq.bodies(dead) == ["poison"]
    runs = Counter(bodies(ledger))
    assert runs == {"good 1": 1, "good 2": 1, "poison": 3}
    told = [note["redelivered"][0] for note in seen(ledger) if note["bodies"] == ["poison"]]
    assert told == [False, True, True]
    assert polling.metric("failed_invoke_events_total", function) == 3
    assert polling.mapping(uuid)["State"] == "Enabled"


def test_a_broker_that_restarts(polling: Polling, rabbitmq: RabbitMq) -> None:
    """The mapping says that nobody answers, and goes on by itself; nothing is lost."""
    queue = polling.name()
    rabbitmq.queue(queue)
    rabbitmq.put(queue, ["a"])
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, rabbitmq, queue, function)
    until(lambda: polling.metric("deleted_events_total", function) == 1)
    rabbitmq.stop()
    try:
        until(lambda: "cannot be reached" in polling.mapping(uuid)["StateTransitionReason"])
    finally:
        rabbitmq.start()
    rabbitmq.put(queue, ["b"])
    until(lambda: "b" in bodies(ledger), 60)
    assert set(bodies(ledger)) == {"a", "b"}  # an acknowledgement may die with its broker
    until(lambda: polling.mapping(uuid)["StateTransitionReason"] == "USER_INITIATED")


@pytest.mark.parametrize(
    ("members", "reason", "text"),
    [
        ({"password": "wrong"}, "AccessDenied", "refuses access"),
        ({"queues": ["nobody"]}, "NotFound", "no queue 'nobody'"),
        ({"endpoint": "amqp://127.0.0.1:1"}, "Unreachable", "127.0.0.1:1 cannot be reached"),
        ({"endpoint": None}, "Invalid", "no endpoint is named"),
    ],
)
def test_what_is_wrong_is_said(
    polling: Polling, rabbitmq: RabbitMq, members: dict[str, Any], reason: str, text: str
) -> None:
    """In the mapping's state and condition."""
    queue = polling.name()
    rabbitmq.queue(queue)
    function, _ = polling.function(NOTE)
    uuid = mapped(polling, rabbitmq, queue, function, **members)
    until(lambda: text in polling.mapping(uuid)["StateTransitionReason"])
    [stored] = [
        one for one in polling.harness.cache.all(EventSourceMapping) if one.metadata.uid == uuid
    ]
    condition = stored.condition("Ready")
    assert condition is not None
    assert condition.reason == reason


def test_what_waits_is_asked_of_the_queue(polling: Polling, rabbitmq: RabbitMq) -> None:
    """And is not taken from it."""
    queue = polling.name()
    rabbitmq.queue(queue)
    function, _ = polling.function(NOTE)
    uuid = mapped(polling, rabbitmq, queue, function, enabled=False)
    for text in "abc":
        rabbitmq.put(queue, [text])
    for _ in range(2):
        until(lambda: polling.backlog(uuid) == {"waiting": 3, "inFlight": None})
