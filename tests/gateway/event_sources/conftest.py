"""A platform that finds its queues in a real ElasticMQ."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.elasticmq import ACCOUNT, REGION
from tests.support.gateway import GatewayHarness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.elasticmq import ElasticMq

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


class Polling:
    """Queues, functions and mappings of one test's own, and what the functions saw."""

    def __init__(self, harness: GatewayHarness, mq: ElasticMq, folder: Path) -> None:
        self.harness = harness
        self.mq = mq
        self.client = harness.client()
        self.folder = folder

    def name(self) -> str:
        """Make a name that nothing else has."""
        return f"{self.folder.name[:24].replace('_', '-')}-{uuid.uuid4().hex[:8]}"

    def function(self, source: str = NOTE_ALL, **members: Any) -> tuple[str, Path]:
        """Make a function that notes what it sees; returns its name and the ledger."""
        name = self.name()
        ledger = self.folder / f"{name}.ledger"
        self.harness.create(name, HANDLER.format(ledger=str(ledger), source=source), **members)
        return name, ledger

    def arn(self, queue: str) -> str:
        """Return the ARN of a queue."""
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"

    def map(self, queue: str, function: str, **members: Any) -> str:
        """Map a queue to a function and wait until it is polled; returns the UUID."""
        made = self.client.create_event_source_mapping(
            EventSourceArn=self.arn(queue), FunctionName=function, **members
        )
        uuid = str(made["UUID"])
        until(lambda: self.mapping(uuid)["State"] == "Enabled")
        return uuid

    def mapping(self, uuid: str) -> dict[str, Any]:
        """Read a mapping."""
        found: dict[str, Any] = self.client.get_event_source_mapping(UUID=uuid)
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
    for one in found.client.list_event_source_mappings()["EventSourceMappings"]:
        found.client.delete_event_source_mapping(UUID=one["UUID"])
