"""Gateways that share a topic as members of one group, and are killed: all comes, in order.

Each gateway is a real keeper and the real source of Kafka over one database of leases; the function
is a ledger of this test's own, outside the platform.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator

from pilotlight.budget import ByteBudget
from pilotlight.cache import Cache
from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta
from pilotlight_gateway.event_sources import kafka as kafka_source
from pilotlight_gateway.event_sources import make_source
from pilotlight_gateway.event_sources.kafka_cluster import KafkaCluster
from pilotlight_gateway.event_sources.keeper import Keeper
from pilotlight_gateway.event_sources.source import SourceError
from pilotlight_gateway.invocation.invocation import Answer
from pilotlight_gateway.metrics import Metrics
from pilotlight_gateway.settings import Settings
from tests.support.memory import MemoryResources
from tests.support.memory_event_queue import memory_source_leases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pilotlight_gateway.event_sources.source import PolledMapping
    from pilotlight_gateway.invocation.invocation import Invocation
    from pilotlight_gateway.services import Services
    from tests.support.kafka import Kafka

KILLS, PARTITIONS, RECORDS = 4, 4, 150


class Run(NamedTuple):
    """A record that the function got."""

    gateway: str
    partition: int
    offset: int


class Gateways:
    """Gateways over one store and one database of leases."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.resources = MemoryResources()
        self.leases = memory_source_leases()
        self.running: dict[str, list[asyncio.Task[None]]] = {}
        self.keepers: dict[str, Keeper] = {}
        self._names = (f"gateway-{number}" for number in itertools.count())

    def start(self) -> str:
        """Start one more; returns its name."""
        name = next(self._names)
        cache = Cache(self.resources, EventSourceMapping)
        services = self.services(name, cache)

        async def make(mapping: EventSourceMapping) -> Any:
            return make_source(services, "000000000000", mapping)

        keeper = Keeper(services, make, lease_seconds=0.6, round_seconds=0.1)
        self.keepers[name] = keeper
        self.running[name] = [asyncio.create_task(one) for one in (cache.run(), keeper.run())]
        return name

    async def kill(self, name: str) -> None:
        """End one at any point, without a word to anybody."""
        polls = [one.task for one in self.keepers.pop(name)._working.values()]
        tasks = [*self.running.pop(name), *polls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def services(self, name: str, cache: Cache, *, private: bool = True) -> Services:
        """Make what a source needs, with a function that notes what it gets."""
        settings = Settings("us-east-1", b"key", gateway=name, private_addresses=private)

        async def invoke(_reference: Any, invocation: Invocation, _target: Any) -> Answer:
            for records in json.loads(invocation.event)["records"].values():
                for one in records:
                    assert base64.b64decode(one["value"]).decode() == str(one["offset"])
                    self.runs.append(Run(name, one["partition"], one["offset"]))
            await asyncio.sleep(0.02)
            return Answer(b"null", 4)

        async def find(_reference: Any) -> Any:
            spec = SimpleNamespace(reserved_concurrency=None)
            return SimpleNamespace(timeout=1, function=SimpleNamespace(spec=spec))

        found = SimpleNamespace(
            settings=settings, cache=cache, resources=cache.resources, metrics=Metrics(),
            targets=SimpleNamespace(find=find), invoker=SimpleNamespace(invoke=invoke),
            polled_bytes=ByteBudget(1 << 20), events=SimpleNamespace(source_leases=self.leases),
        )  # fmt: skip
        return cast("Services", found)


def mapping(kafka: Kafka, topic: str) -> EventSourceMapping:
    spec = {
        "function": "f", "topics": [topic], "startingPosition": "TRIM_HORIZON", "batchSize": 5,
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [kafka.servers]}},
    }  # fmt: skip
    metadata = ObjectMeta(name="m", namespace="default")
    return EventSourceMapping(metadata=metadata, spec=EventSourceMappingSpec.model_validate(spec))


@pytest.fixture
async def gateways(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateways]:
    async def say_nothing(_coordinator: GroupCoordinator) -> None:
        """Be dead: who dies does not leave its group."""

    monkeypatch.setattr(GroupCoordinator, "_maybe_leave_group", say_nothing)
    monkeypatch.setattr(kafka_source, "SESSION_SECONDS", 1.5)
    monkeypatch.setattr(kafka_source, "GRACE_SECONDS", 2.0)
    found = Gateways()
    yield found
    for name in list(found.running):
        await found.kill(name)


async def until(holds: Callable[[], Any], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  a real server is in it
            await asyncio.sleep(0.01)


async def test_kills_lose_nothing_and_keep_the_order(gateways: Gateways, kafka: Kafka) -> None:
    """Both gateways read; a record comes twice only if who got it first was killed."""
    topic = "members"
    await asyncio.to_thread(kafka.topic, topic, PARTITIONS)
    for partition in range(PARTITIONS):
        values = map(str, range(RECORDS))
        await asyncio.to_thread(kafka.put, topic, values, partition=partition)
    for _ in range(2):
        gateways.start()
    await until(lambda: len(gateways.keepers) == 2)
    await gateways.resources.create(mapping(kafka, topic))
    await until(lambda: {run.gateway for run in gateways.runs} >= set(gateways.keepers))
    for _ in range(KILLS):
        before = len(gateways.runs)
        await until(lambda before=before: len(gateways.runs) >= before + 20)  # type: ignore[misc]
        await gateways.kill(gateways.runs[-1].gateway)
        gateways.start()
    alive = set(gateways.keepers)
    wanted = {(one, at) for one in range(PARTITIONS) for at in range(RECORDS)}
    await until(lambda: {run[1:] for run in gateways.runs} == wanted)
    for partition in range(PARTITIONS):
        runs = [run for run in gateways.runs if run.partition == partition]
        assert list(dict.fromkeys(run.offset for run in runs)) == list(range(RECORDS))
        for offset in range(RECORDS):
            earlier = [run.gateway for run in runs if run.offset == offset][:-1]
            assert not alive & set(earlier)


async def test_a_tenant_reaches_no_private_address(gateways: Gateways, kafka: Kafka) -> None:
    """Whatever a mapping names as its brokers."""
    services = gateways.services("g", Cache(gateways.resources), private=False)
    source = make_source(services, "000000000000", mapping(kafka, "members"))
    with pytest.raises(SourceError, match="is not on the public internet"):
        await source.check()


async def test_brokers_name_no_private_address(gateways: Gateways, kafka: Kafka) -> None:
    """One that the admin lists may be asked, and still leads to no other one."""
    services = gateways.services("g", Cache(gateways.resources), private=False)
    settings = replace(services.settings, private_sources=(kafka.servers,))
    polled = SimpleNamespace(
        mapping=mapping(kafka, "members"), services=SimpleNamespace(settings=settings)
    )
    cluster = await KafkaCluster.of(cast("PolledMapping", polled))
    connected: list[int] = []

    async def connect(node: int) -> int:
        connected.append(node)
        return node

    host, _, port = kafka.servers.partition(":")
    brokers = {1: SimpleNamespace(host=host, port=int(port)), 2: SimpleNamespace(host=host, port=1)}
    client = SimpleNamespace(
        cluster=SimpleNamespace(broker_metadata=brokers.get), _get_conn=connect
    )
    cluster.guard(client)
    assert [await client._get_conn(1), await client._get_conn(2)] == [1, None]
    assert connected == [1]
