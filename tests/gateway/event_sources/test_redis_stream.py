"""The delivery contract of Redis Streams (docs/events.md), on a real server and real functions."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from pilotlight.resources import EventSourceMapping
from pilotlight_gateway.event_sources import redis_stream
from tests.support.debian import program_of
from tests.support.mappings import apply_mapping, make_secret
from tests.support.processes import ServerProcess

from .conftest import seen, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Polling

PASSWORD = "test-password"
NOTE = """
def handler(event, context):
    found = [one["fields"]["n"] for one in event["Records"]]
    note(numbers=found, redelivered=[one["redelivered"] for one in event["Records"]])
"""


class Server(ServerProcess):
    """A Redis that keeps what it has over a restart."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            [
                program_of("redis-server", "redis-server"), "--port", "{port}",
                "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
                "--appendonly", "yes", "--appendfsync", "always", "--requirepass", PASSWORD,
            ]
        )  # fmt: skip

    @property
    def client(self) -> Redis:
        """A client that nobody need close."""
        return Redis(port=self.port, password=PASSWORD)

    def put(self, stream: str, numbers: range) -> None:
        """Put entries into a stream."""
        with self.client as client:
            for number in numbers:
                client.xadd(stream, {"n": str(number)})

    def pending(self, stream: str, group: str) -> int:
        """Return how many entries a group has that are not acknowledged."""
        with self.client as client:
            return int(client.xpending(stream, group)["pending"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("redis")) as found:
        yield found


def mapped(polling: Polling, server: Server, stream: str, function: str, **members: Any) -> str:
    """Map a stream to a function, with a Secret of its own; returns the UUID."""
    make_secret(polling.harness, stream, password=members.pop("password", PASSWORD))
    spec = {
        "function": function, "source": f"redis://127.0.0.1:{server.port}/{stream}",
        "startingPosition": "TRIM_HORIZON",
        "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": stream}],
    }  # fmt: skip
    return apply_mapping(polling.harness, stream, spec | members)


def numbers(ledger: Path) -> list[str]:
    return [one for note in seen(ledger) for one in note["numbers"]]


def test_the_event(polling: Polling, server: Server) -> None:
    """As near to that of SQS as can be; what is no text is in Base64."""
    stream = polling.name()
    with server.client as client:
        name = client.xadd(stream, {"text": "a", "raw": b"\xff"}).decode()
    function, ledger = polling.function("def handler(event, context):\n    note(event=event)\n")
    mapped(polling, server, stream, function)
    [note] = until(lambda: seen(ledger))
    assert note["event"] == {
        "Records": [
            {
                "messageId": name, "fields": {"text": "a"}, "binaryFields": {"raw": "/w=="},
                "redelivered": False, "timestamp": int(name.partition("-")[0]),
                "eventSource": "pilotlight:redis",
                "eventSourceARN": f"redis://127.0.0.1:{server.port}/{stream}",
            }
        ]
    }  # fmt: skip


def test_what_succeeds_is_acknowledged(polling: Polling, server: Server) -> None:
    """Every entry once, in batches of at most the size; the stream keeps them."""
    stream = polling.name()
    server.put(stream, range(57))
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function, batchSize=7)
    until(lambda: polling.metric("deleted_events_total", function) == 57)
    assert Counter(numbers(ledger)) == Counter(map(str, range(57)))
    assert max(len(note["numbers"]) for note in seen(ledger)) == 7
    assert server.pending(stream, uuid) == 0
    with server.client as client:
        assert client.xlen(stream) == 57


def test_what_a_batch_names_comes_again_alone(polling: Polling, server: Server) -> None:
    """Marked as redelivered; all else is acknowledged."""
    stream = polling.name()
    server.put(stream, range(10))
    function, ledger = polling.function(
        NOTE
        + """
    return {"batchItemFailures": [
        {"itemIdentifier": one["messageId"]}
        for one in event["Records"] if one["fields"]["n"] == "3" and not one["redelivered"]
    ]}
"""
    )
    mapped(polling, server, stream, function, functionResponseTypes=["ReportBatchItemFailures"])
    until(lambda: polling.metric("deleted_events_total", function) == 10)
    assert Counter(numbers(ledger)) == Counter([*map(str, range(10)), "3"])
    assert seen(ledger)[-1] == {"numbers": ["3"], "redelivered": [True]}


def test_reading_begins_with_what_comes(polling: Polling, server: Server) -> None:
    """With LATEST; and a mapping that pauses goes on where it was."""
    stream = polling.name()
    server.put(stream, range(1))
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function, startingPosition="LATEST")
    until(lambda: polling.mapping(uuid)["State"] == "Enabled")
    with server.client as client:
        until(lambda: client.xinfo_groups(stream))
    server.put(stream, range(1, 2))
    until(lambda: numbers(ledger) == ["1"])
    polling.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    until(lambda: polling.mapping(uuid)["State"] == "Disabled")
    server.put(stream, range(2, 3))
    polling.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    until(lambda: numbers(ledger) == ["1", "2"])


def test_reading_begins_at_a_time(polling: Polling, server: Server) -> None:
    """With what came then or later."""
    stream, at = polling.name(), datetime.now(UTC).replace(microsecond=500_000)
    milliseconds = int(at.timestamp() * 1000)
    with server.client as client:
        for number, moment in enumerate((milliseconds - 1, milliseconds, milliseconds + 1)):
            client.xadd(stream, {"n": str(number)}, id=f"{moment}-0")
    function, ledger = polling.function(NOTE)
    mapped(
        polling, server, stream, function, startingPosition="AT_TIMESTAMP",
        startingPositionTimestamp=f"{at:%Y-%m-%dT%H:%M:%S.5Z}",
    )  # fmt: skip
    until(lambda: sorted(numbers(ledger)) == ["1", "2"])


def test_what_a_dead_gateway_had_is_claimed(polling: Polling, server: Server) -> None:
    """By whoever takes the mapping over, at once."""
    stream = polling.name()
    server.put(stream, range(3))
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function, enabled=False)
    with server.client as client:
        client.xgroup_create(stream, uuid, "0")
        client.xreadgroup(uuid, redis_stream.CONSUMER, {stream: ">"}, 2)  # and no word more
    polling.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    until(lambda: sorted(numbers(ledger)) == ["0", "1", "2"])
    told = {
        number: again
        for note in seen(ledger)
        for number, again in zip(note["numbers"], note["redelivered"], strict=True)
    }
    assert told == {"0": True, "1": True, "2": False}


def test_a_server_that_restarts(polling: Polling, server: Server) -> None:
    """The mapping says that nobody answers, and goes on by itself; nothing is lost."""
    stream = polling.name()
    server.put(stream, range(1))
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function)
    until(lambda: polling.metric("deleted_events_total", function) == 1)
    server.stop()
    try:
        until(lambda: "cannot be reached" in polling.mapping(uuid)["StateTransitionReason"])
    finally:
        server.start()
    server.put(stream, range(1, 2))
    until(lambda: numbers(ledger) == ["0", "1"])
    until(lambda: polling.mapping(uuid)["StateTransitionReason"] == "USER_INITIATED")


@pytest.mark.parametrize(
    ("members", "reason", "text"),
    [
        ({"password": "wrong"}, "AccessDenied", "refuses access"),
        ({"source": "redis://127.0.0.1:{port}/nobody"}, "NotFound", "there is no stream nobody"),
        ({"source": "redis://127.0.0.1:1/orders"}, "Unreachable", "127.0.0.1:1 cannot be reached"),
    ],
)
def test_what_is_wrong_is_said(
    polling: Polling, server: Server, members: dict[str, Any], reason: str, text: str
) -> None:
    """In the mapping's state and condition."""
    stream = polling.name()
    server.put(stream, range(1))
    function, _ = polling.function(NOTE)
    given = {name: value.format(port=server.port) for name, value in members.items()}
    uuid = mapped(polling, server, stream, function, **given)
    until(lambda: text in polling.mapping(uuid)["StateTransitionReason"])
    [stored] = [
        one for one in polling.harness.cache.all(EventSourceMapping) if one.metadata.uid == uuid
    ]
    condition = stored.condition("Ready")
    assert condition is not None
    assert condition.reason == reason


def test_poison_goes_to_the_destination_alone(polling: Polling, server: Server) -> None:
    """Tried as often as the mapping says, found by halves; the destination gets it itself."""
    stream, dead = polling.name(), polling.name()
    dead_url = polling.mq.queue(dead)
    server.put(stream, range(10))
    function, ledger = polling.function(
        NOTE + "    if '3' in found:\n        raise ValueError('poison')\n"
    )
    uuid = mapped(
        polling, server, stream, function, batchSize=10,
        bisectBatchOnFunctionError=True, maximumRetryAttempts=1,
        destinationConfig={"onFailure": {"destination": polling.arn(dead)}},
    )  # fmt: skip
    until(lambda: polling.metric("deleted_events_total", function) == 10)
    until(lambda: polling.mq.counts(dead_url)[0] == 1)
    [record] = map(json.loads, polling.mq.bodies(dead_url))
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorMessage"] == "poison"
    [told] = record["requestPayload"]["Records"]
    assert told["fields"]["n"] == "3"
    alone = [note for note in seen(ledger) if note["numbers"] == ["3"]]
    assert len(alone) == 2
    assert server.pending(stream, uuid) == 0
    assert polling.metric("dropped_events_total", function) == 1


def test_what_is_too_old_is_not_tried(polling: Polling, server: Server) -> None:
    """It goes to the destination without a run; what is younger runs."""
    stream, dead = polling.name(), polling.name()
    dead_url = polling.mq.queue(dead)
    with server.client as client:
        client.xadd(stream, {"n": "old"}, id="1000-0")
    server.put(stream, range(1))
    function, ledger = polling.function(NOTE)
    mapped(
        polling, server, stream, function, maximumRecordAgeInSeconds=3600,
        destinationConfig={"onFailure": {"destination": polling.arn(dead)}},
    )  # fmt: skip
    until(lambda: polling.mq.counts(dead_url)[0] == 1)
    [record] = map(json.loads, polling.mq.bodies(dead_url))
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    until(lambda: polling.metric("deleted_events_total", function) == 2)
    assert numbers(ledger) == ["0"]


def test_what_waits_is_asked_of_the_group(polling: Polling, server: Server) -> None:
    """What it has not seen, and what it has not acknowledged; nothing is known before it is."""
    stream = polling.name()
    server.put(stream, range(3))
    function, _ = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function, enabled=False)
    assert polling.backlog(uuid) == {"waiting": None, "inFlight": None}
    with server.client as client:
        client.xgroup_create(stream, uuid, "0")
        client.xreadgroup(uuid, redis_stream.CONSUMER, {stream: ">"}, 1)
    assert polling.backlog(uuid) == {"waiting": 2, "inFlight": 1}
