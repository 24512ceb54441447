"""Makes asynchronous tests leave no event loop behind, and properties hold at any speed.

What is slow to start and harmless to share is here, too: an ElasticMQ, a Kafka.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.elasticmq import ElasticMq, running_elasticmq
from tests.support.kafka import Kafka, running_kafka
from tests.support.scheduling import FileScheduling, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

# pytest-asyncio asks for the current loop before each test, and asyncio makes one that nobody
# closes as long as none was ever set; then a garbage collection fails some later test.
asyncio.set_event_loop(None)

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
