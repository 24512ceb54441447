"""Makes asynchronous tests leave no event loop behind, and properties hold at any speed.

What is slow to start and harmless to share is here, too: brokers, streams, what stands for AWS.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.elasticmq import ElasticMq, running_elasticmq
from tests.support.kafka import Kafka, running_kafka
from tests.support.moto import Moto, running_moto
from tests.support.rabbitmq import RabbitMq, running_rabbitmq
from tests.support.scheduling import FileScheduling, place
from tests.support.streams import DynamoDb, Kinesis, running_dynamodb, running_kinesis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

# pytest-asyncio asks for the current loop before each test, and asyncio makes one that nobody
# closes as long as none was ever set; then a garbage collection fails some later test.
asyncio.set_event_loop(None)

# A shell has what it starts in the background ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A property says what holds, not how fast: a machine that is busy fails none.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Say how tests are shared out where there is more than one process."""
    config.option.loadscopereorder = False  # the order is pytest-randomly's and `place`'s
    return FileScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the order by chance, but for what must begin first or last beside others."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid))


@pytest.fixture(scope="session")
def mq() -> Iterator[ElasticMq]:
    """An ElasticMQ; each test has queues of its own."""
    with running_elasticmq() as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A Kafka; each test has topics of its own."""
    with running_kafka() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """A RabbitMQ; each test has queues of its own."""
    with running_rabbitmq() as server:
        yield server


@pytest.fixture(scope="session")
def kinesis() -> Iterator[Kinesis]:
    """A kinesis-local; each test has streams of its own."""
    with running_kinesis() as server:
        yield server


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[DynamoDb]:
    """A DynamoDB local; each test has tables of its own."""
    with running_dynamodb() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """What else stands in for AWS; each test has queues, topics and buckets of its own."""
    with running_moto() as server:
        yield server
