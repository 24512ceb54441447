"""The delivery contract of NATS JetStream (docs/events.md), on a real server and real functions."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import nats
import pytest

from pilotlight.resources import EventSourceMapping
from tests.support.mappings import apply_mapping, make_secret
from tests.support.processes import ServerProcess

from .conftest import bodies, seen, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from nats.js import JetStreamContext

    from .conftest import Polling

T = TypeVar("T")
USER, PASSWORD = "tester", "test-password"
NOTE = """
import base64
def handler(event, context):
    found = [base64.b64decode(one["data"]).decode() for one in event["Records"]]
    note(bodies=found, counts=[one["deliveryCount"] for one in event["Records"]])
"""


class Server(ServerProcess):
    """A NATS with JetStream that keeps what it has over a restart."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            [
                str(Path(sys.executable).with_name("nats-server")), "--addr", "127.0.0.1",
                "--port", "{port}", "--jetstream", "--store_dir", str(folder),
                "--user", USER, "--pass", PASSWORD,
            ]
        )  # fmt: skip

    def put(self, stream: str, texts: list[str], **options: Any) -> None:
        """Put messages into a stream, which is made where it is not."""

        async def send(context: JetStreamContext) -> None:
            await context.add_stream(name=stream, subjects=[f"{stream}.>"])
            for text in texts:
                await context.publish(f"{stream}.new", text.encode(), **options)

        self._run(send)

    def pending(self, stream: str, consumer: str) -> int:
        """Return how many messages a consumer has not acknowledged, or not seen."""

        async def ask(context: JetStreamContext) -> int:
            found = await context.consumer_info(stream, consumer)
            return (found.num_pending or 0) + (found.num_ack_pending or 0)

        return self._run(ask)

    def has(self, stream: str, consumer: str) -> bool:
        """Say whether a stream has a consumer."""

        async def ask(context: JetStreamContext) -> bool:
            return consumer in [one.name for one in await context.consumers_info(stream)]

        return self._run(ask)

    def _run(self, work: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        async def run() -> T:
            client = await nats.connect(
                f"nats://127.0.0.1:{self.port}", user=USER, password=PASSWORD
            )
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("nats")) as found:
        yield found


def mapped(polling: Polling, server: Server, stream: str, function: str, **members: Any) -> str:
    """Map a stream to a function, with a Secret of its own; returns the UUID."""
    password = members.pop("password", PASSWORD)
    make_secret(polling.harness, stream, username=USER, password=password)
    spec = {
        "function": function, "source": f"nats://127.0.0.1:{server.port}/{stream}",
        "startingPosition": "TRIM_HORIZON",
        "sourceAccessConfigurations": [{"type": "BASIC_AUTH", "uri": stream}],
    }  # fmt: skip
    return apply_mapping(polling.harness, stream, spec | members)


def test_the_event(polling: Polling, server: Server) -> None:
    """As near to that of SQS as can be."""
    stream = polling.name()
    server.put(stream, ["hello"], headers={"name": "value"})
    function, ledger = polling.function("def handler(event, context):\n    note(event=event)\n")
    mapped(polling, server, stream, function)
    [note] = until(lambda: seen(ledger))
    [record] = note["event"]["Records"]
    assert record.pop("timestamp") > 1_700_000_000_000
    assert record == {
        "messageId": "1", "subject": f"{stream}.new", "headers": {"name": "value"},
        "data": base64.b64encode(b"hello").decode(), "redelivered": False, "deliveryCount": 1,
        "eventSource": "pilotlight:nats",
        "eventSourceARN": f"nats://127.0.0.1:{server.port}/{stream}",
    }  # fmt: skip


def test_what_succeeds_is_acknowledged(polling: Polling, server: Server) -> None:
    """Every message once, in batches of at most the size."""
    stream = polling.name()
    server.put(stream, [str(number) for number in range(57)])
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function, batchSize=7)
    until(lambda: polling.metric("deleted_events_total", function) == 57)
    assert Counter(bodies(ledger)) == Counter(map(str, range(57)))
    assert max(len(note["bodies"]) for note in seen(ledger)) == 7
    until(lambda: server.pending(stream, uuid) == 0)


def test_what_fails_comes_again(polling: Polling, server: Server) -> None:
    """Until the function succeeds with it; the record says how often it came."""
    stream = polling.name()
    server.put(stream, ["a", "b"])
    fails = (
        '    if event["Records"][0]["deliveryCount"] < 3:\n        raise ValueError("not yet")\n'
    )
    function, ledger = polling.function(NOTE + fails)
    mapped(polling, server, stream, function, batchSize=1)
    until(lambda: polling.metric("deleted_events_total", function) == 2)
    assert Counter(bodies(ledger)) == {"a": 3, "b": 3}
    assert polling.metric("failed_invoke_events_total", function) == 4


def test_reading_begins_with_what_comes(polling: Polling, server: Server) -> None:
    """With LATEST; and a mapping that pauses goes on where it was."""
    stream = polling.name()
    server.put(stream, ["0"])
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function, startingPosition="LATEST")
    until(lambda: server.has(stream, uuid))
    server.put(stream, ["1"])
    until(lambda: bodies(ledger) == ["1"])
    polling.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    until(lambda: polling.mapping(uuid)["State"] == "Disabled")
    server.put(stream, ["2"])
    polling.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    until(lambda: bodies(ledger) == ["1", "2"])


def test_reading_begins_at_a_time(polling: Polling, server: Server) -> None:
    """With what came then or later."""
    stream = polling.name()
    server.put(stream, ["0"])
    at = datetime.now(UTC)
    server.put(stream, ["1"])
    function, ledger = polling.function(NOTE)
    mapped(
        polling, server, stream, function, startingPosition="AT_TIMESTAMP",
        startingPositionTimestamp=f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
    )  # fmt: skip
    until(lambda: bodies(ledger) == ["1"])


def test_a_server_that_restarts(polling: Polling, server: Server) -> None:
    """The mapping says that nobody answers, and goes on by itself; nothing is lost."""
    stream = polling.name()
    server.put(stream, ["a"])
    function, ledger = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function)
    until(lambda: polling.metric("deleted_events_total", function) == 1)
    server.stop()
    try:
        until(lambda: "cannot be reached" in polling.mapping(uuid)["StateTransitionReason"])
    finally:
        server.start()
    server.put(stream, ["b"])
    until(lambda: "b" in bodies(ledger))
    assert set(bodies(ledger)) == {"a", "b"}  # an acknowledgement may die with its server
    until(lambda: polling.mapping(uuid)["StateTransitionReason"] == "USER_INITIATED")


@pytest.mark.parametrize(
    ("members", "reason", "text"),
    [
        ({"password": "wrong"}, "AccessDenied", "refuses access"),
        ({"source": "nats://127.0.0.1:{port}/nobody"}, "NotFound", "there is no stream nobody"),
        ({"source": "nats://127.0.0.1:1/orders"}, "Unreachable", "127.0.0.1:1 cannot be reached"),
    ],
)
def test_what_is_wrong_is_said(
    polling: Polling, server: Server, members: dict[str, Any], reason: str, text: str
) -> None:
    """In the mapping's state and condition."""
    stream = polling.name()
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
    server.put(stream, [str(number) for number in range(10)])
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
    assert base64.b64decode(told["data"]).decode() == "3"
    alone = [note for note in seen(ledger) if note["bodies"] == ["3"]]
    assert len(alone) == 2
    assert server.pending(stream, uuid) == 0
    assert polling.metric("dropped_events_total", function) == 1


def test_what_waits_is_asked_of_the_consumer(polling: Polling, server: Server) -> None:
    """What it has not seen, and what it has not acknowledged."""
    stream = polling.name()
    server.put(stream, ["a"])
    function, _ = polling.function(NOTE)
    uuid = mapped(polling, server, stream, function)
    until(lambda: polling.metric("deleted_events_total", function) == 1)
    polling.pause(uuid)
    server.put(stream, ["b", "c"])
    assert polling.backlog(uuid) == {"waiting": 2, "inFlight": 0}
