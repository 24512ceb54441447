"""Real queues and streams, and platforms that find them."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from pilotlight.resources import EventSourceMapping
from tests.support.elasticmq import ACCOUNT, REGION
from tests.support.gateway import GatewayHarness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pilotlight_gateway.event_queue.source_leases import ShardState
    from tests.support.elasticmq import ElasticMq
    from tests.support.moto import Moto
    from tests.support.streams import DynamoDb, Kinesis

SECONDS = 30.0
HANDLER = """
import json, os
ledger = os.open({ledger!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note(**what):
    os.write(ledger, (json.dumps(what) + "\\n").encode())

{source}
"""
NOTE_ALL = """
def handler(event, context):
    note(bodies=[one["body"] for one in event["Records"]])
"""


class Mapped:
    """Functions and mappings of one test's own."""

    def __init__(self, harness: GatewayHarness, folder: Path) -> None:
        self.harness = harness
        self.client = harness.client()
        self._folder = folder

    def name(self) -> str:
        """Make a name that nothing else has."""
        return f"{self._folder.name[:24].replace('_', '-')}-{uuid.uuid4().hex[:8]}"

    def function(self, source: str = NOTE_ALL, **members: Any) -> tuple[str, Path]:
        """Make a function that notes what it sees; returns its name and the ledger."""
        name = self.name()
        ledger = self._folder / f"{name}.ledger"
        self.harness.create(name, HANDLER.format(ledger=str(ledger), source=source), **members)
        return name, ledger

    def map_source(self, arn: str, function: str, **members: Any) -> str:
        """Map a source to a function and wait until it is polled; returns the UUID."""
        made = self.client.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=function, **members
        )
        uuid = str(made["UUID"])
        until(lambda: self.mapping(uuid)["State"] == "Enabled")
        return uuid

    def mapping(self, uuid: str) -> dict[str, Any]:
        """Read a mapping."""
        found: dict[str, Any] = self.client.get_event_source_mapping(UUID=uuid)
        return found

    def pause(self, uuid: str) -> None:
        """Have a mapping polled no more."""
        self.client.update_event_source_mapping(UUID=uuid, Enabled=False)
        until(lambda: self.mapping(uuid)["State"] == "Disabled")

    def backlog(self, uuid: str) -> dict[str, Any]:
        """Ask how much waits in a mapping's source, as the command line does."""
        [name] = [
            one.metadata.name
            for one in self.harness.cache.all(EventSourceMapping)
            if one.metadata.uid == uuid
        ]
        found: dict[str, Any] = json.loads(
            self.harness.get(f"/-/eventsourcemappings/{name}/backlog")[2]
        )
        return found

    def metric(self, name: str, function: str) -> float:
        """Read one of the mapping's metrics."""
        text = self.harness.gateway.services.metrics.render().decode()
        lines = [
            line
            for line in text.splitlines()
            if line.startswith(f"pilotlight_event_source_{name}{{") and f'"{function}"' in line
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def end(self) -> None:
        """End all mappings."""
        for one in self.client.list_event_source_mappings()["EventSourceMappings"]:
            self.client.delete_event_source_mapping(UUID=one["UUID"])


class Polling(Mapped):
    """Queues of one test's own."""

    def __init__(self, harness: GatewayHarness, mq: ElasticMq, folder: Path) -> None:
        super().__init__(harness, folder)
        self.mq = mq

    def arn(self, queue: str) -> str:
        """Return the ARN of a queue."""
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"

    def map(self, queue: str, function: str, **members: Any) -> str:
        """Map a queue to a function and wait until it is polled; returns the UUID."""
        return self.map_source(self.arn(queue), function, **members)


class Streaming(Mapped):
    """Streams of one test's own, and where what is given up goes."""

    def __init__(
        self,
        harness: GatewayHarness,
        kinesis: Kinesis,
        dynamodb: DynamoDb,
        moto: Moto,
        folder: Path,
    ) -> None:
        super().__init__(harness, folder)
        self.kinesis = kinesis
        self.dynamodb = dynamodb
        self.moto = moto

    @property
    def folder(self) -> Path:
        """A folder of the test's own."""
        return self._folder

    def shards(self, function: str) -> dict[str, ShardState]:
        """Return the shards of a function's mapping, as they are leased."""
        [mapping] = self.client.list_event_source_mappings(FunctionName=function)[
            "EventSourceMappings"
        ]
        leases = self.harness.events.source_leases
        found = self.harness.call(leases.shards(mapping["UUID"]))
        return {one.name: one for one in found if one.name and (one.finished or one.holder)}

    def reset(self, function: str, position: str) -> int:
        """Reset the mapping of a function as the command line does; returns the status."""
        mappings = json.loads(self.harness.get("/-/eventsourcemappings")[2])["items"]
        [name] = [
            one["metadata"]["name"] for one in mappings if one["spec"]["function"] == function
        ]
        query = urlencode({"position": position})
        return self.harness.post(f"/-/eventsourcemappings/{name}/reset?{query}")[0]

    def after_a_moment(self) -> float:
        """Return a time that is after all that came before it, once it is over."""
        moment = time.time() + 0.01
        until(lambda: time.time() > moment + 0.01)
        return moment

    def failures(self) -> tuple[dict[str, Any], Callable[[], list[dict[str, Any]]]]:
        """Make a queue for failures; returns the mapping's members, and what reads it so far."""
        sqs, found = self.moto.client("sqs"), list[dict[str, Any]]()
        url = sqs.create_queue(QueueName=self.name())["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rpartition('/')[2]}"

        def read() -> list[dict[str, Any]]:
            got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages") or ()
            for one in got:
                found.append(json.loads(one["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            return found

        return {"DestinationConfig": {"OnFailure": {"Destination": arn}}}, read


def seen(ledger: Path) -> list[dict[str, Any]]:
    """Return what a function noted, in order."""
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


def bodies(ledger: Path) -> list[str]:
    """Return the bodies that a function noted, in order."""
    return [body for note in seen(ledger) for body in note["bodies"]]


def until(holds: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def harness(mq: ElasticMq, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    """A platform."""
    found = GatewayHarness(tmp_path_factory.mktemp("pods"), aws_endpoint_url=mq.url)
    yield found
    found.close()


@pytest.fixture
def polling(harness: GatewayHarness, mq: ElasticMq, tmp_path: Path) -> Iterator[Polling]:
    """What a test needs; its mappings end with it."""
    found = Polling(harness, mq, tmp_path)
    yield found
    found.end()


@pytest.fixture(scope="session")
def stream_harness(
    kinesis: Kinesis, dynamodb: DynamoDb, moto: Moto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayHarness]:
    """A platform."""
    found = GatewayHarness(
        tmp_path_factory.mktemp("pods"),
        aws_endpoint_url=moto.url,
        aws_endpoint_urls={"kinesis": kinesis.url, "streams.dynamodb": dynamodb.url},
    )
    yield found
    found.close()


@pytest.fixture
def streaming(
    stream_harness: GatewayHarness,
    kinesis: Kinesis,
    dynamodb: DynamoDb,
    moto: Moto,
    tmp_path: Path,
) -> Iterator[Streaming]:
    """What a test needs; its mappings end with it."""
    found = Streaming(stream_harness, kinesis, dynamodb, moto, tmp_path)
    yield found
    found.end()
