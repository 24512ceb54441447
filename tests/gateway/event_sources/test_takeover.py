"""Gateways that are killed while they poll a real queue: nothing is lost, groups keep their order.

Each gateway is a real keeper and the real source of SQS over one database of leases; the function
is a ledger of this test's own, outside the platform.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.aws.client import AwsClients
from pilotlight.aws.credentials import AwsCredentials
from pilotlight.budget import ByteBudget
from pilotlight.cache import Cache
from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta
from pilotlight_gateway.event_sources import make_source
from pilotlight_gateway.event_sources.keeper import Keeper
from pilotlight_gateway.invocation.invocation import Answer
from pilotlight_gateway.metrics import Metrics
from pilotlight_gateway.settings import Settings
from tests.support.elasticmq import ACCOUNT, REGION
from tests.support.memory import MemoryResources
from tests.support.memory_event_queue import memory_source_leases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pilotlight_gateway.event_queue.source_leases import SourceLeases
    from pilotlight_gateway.invocation.invocation import Invocation
    from pilotlight_gateway.services import Services
    from tests.support.elasticmq import ElasticMq

LEASE, ROUND = 0.6, 0.1
KILLS = 20
RUN_SECONDS = 0.02


@dataclass
class Run:
    """A message that the function got."""

    gateway: str
    body: str
    group: str
    ended: bool = False


@dataclass
class Ledger:
    """What the function saw, in order."""

    runs: list[Run] = field(default_factory=list)

    async def invoke(self, gateway: str, event: bytes) -> None:
        begun = [Run(gateway, *self.read(one)) for one in json.loads(event)["Records"]]
        self.runs += begun
        await asyncio.sleep(RUN_SECONDS)
        for run in begun:
            run.ended = True

    def read(self, record: dict[str, Any]) -> tuple[str, str]:
        """Return a record's body and group."""
        return record["body"], record["attributes"].get("MessageGroupId", "")

    def done(self) -> set[str]:
        return {run.body for run in self.runs if run.ended}


class Gateways:
    """Gateways over one store, one database of leases and one function."""

    def __init__(self, url: str, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()
        self.resources = MemoryResources()
        self.leases: SourceLeases = memory_source_leases()
        self._url = url
        self._names = (f"gateway-{number}" for number in itertools.count())
        self._running: dict[str, list[asyncio.Task[None]]] = {}
        self._keepers: dict[str, Keeper] = {}
        self._clients: list[AwsClients] = []

    def start(self) -> str:
        """Start one more; returns its name."""
        name = next(self._names)
        cache = Cache(self.resources, EventSourceMapping)
        services = self._services(name, cache)

        async def make(mapping: EventSourceMapping) -> Any:
            return make_source(services, ACCOUNT, mapping)

        self._keepers[name] = Keeper(services, make, lease_seconds=LEASE, round_seconds=ROUND)
        work = (cache.run(), self._keepers[name].run())
        self._running[name] = [asyncio.create_task(one) for one in work]
        return name

    async def kill(self, name: str) -> None:
        """End one at any point, without a word to anybody."""
        polls = [one.task for one in self._keepers.pop(name)._working.values()]
        tasks = [*self._running.pop(name), *polls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def holder(self) -> str:
        """Wait until somebody polls, and say who."""
        async with asyncio.timeout(20):
            while True:
                for name, keeper in self._keepers.items():
                    if keeper._working:
                        return name
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        for name in list(self._running):
            await self.kill(name)
        for clients in self._clients:
            await clients.close()

    def _services(self, name: str, cache: Cache) -> Services:
        settings = Settings(
            REGION, b"key", gateway=name, aws_endpoint_url=self._url, longest_poll=1.0
        )

        async def invoke(_reference: Any, invocation: Invocation, _target: Any) -> Answer:
            await self.ledger.invoke(name, invocation.event)
            return Answer(b"null", 4)

        async def find(_reference: Any) -> Any:
            spec = SimpleNamespace(reserved_concurrency=None, role=None)
            return SimpleNamespace(timeout=1, function=SimpleNamespace(spec=spec))

        clients = AwsClients(settings, AwsCredentials(settings, cache))
        self._clients.append(clients)
        found = SimpleNamespace(
            settings=settings, cache=cache, resources=cache.resources, metrics=Metrics(),
            aws_clients=clients, targets=SimpleNamespace(find=find),
            invoker=SimpleNamespace(invoke=invoke), polled_bytes=ByteBudget(1 << 20),
            events=SimpleNamespace(source_leases=self.leases),
        )  # fmt: skip
        return cast("Services", found)


@pytest.fixture
async def gateways(mq: ElasticMq) -> AsyncIterator[Gateways]:
    found = Gateways(mq.url)
    yield found
    await found.close()


async def until(holds: Callable[[], Any], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  a real server is in it
            await asyncio.sleep(0.01)


async def until_more(ledger: Ledger) -> None:
    before = len(ledger.runs)
    await until(lambda: len(ledger.runs) >= before + 5)


async def put(gateways: Gateways, queue: str) -> None:
    spec = EventSourceMappingSpec(
        function="f", event_source_arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}", batch_size=5
    )
    metadata = ObjectMeta(name="m", namespace="default")
    await gateways.resources.create(EventSourceMapping(metadata=metadata, spec=spec))


async def kill_holders(gateways: Gateways) -> None:
    """Kill whoever polls, again and again, each time after some more messages were begun."""
    for _ in range(2):
        gateways.start()
    for _ in range(KILLS):
        name = await gateways.holder()
        await until_more(gateways.ledger)
        await gateways.kill(name)
        gateways.start()


async def test_twenty_kills_lose_nothing(gateways: Gateways, mq: ElasticMq) -> None:
    """Every message is handled; one comes twice only if who got it first was killed."""
    url = mq.queue("killed", VisibilityTimeout="1")
    wanted = [str(number) for number in range(400)]
    mq.put(url, wanted)
    await put(gateways, "killed")
    await kill_holders(gateways)
    alive = set(gateways._keepers)
    await until(lambda: gateways.ledger.done() == set(wanted))
    await until(lambda: mq.counts(url) == (0, 0))
    runs: dict[str, list[Run]] = {}
    for run in gateways.ledger.runs:
        runs.setdefault(run.body, []).append(run)
    for again in runs.values():
        assert not {run.gateway for run in again[:-1]} & alive


async def test_twenty_kills_leave_groups_in_order(gateways: Gateways, mq: ElasticMq) -> None:
    """No message of a group is begun for the first time before the one ahead of it has been."""
    url = mq.queue("killed.fifo", VisibilityTimeout="1")
    groups = {f"g{at}": [f"{at}-{number:03}" for number in range(60)] for at in range(4)}
    for group, bodies in groups.items():
        mq.put(url, bodies, group)
    await put(gateways, "killed.fifo")
    await kill_holders(gateways)
    await until(lambda: len(gateways.ledger.done()) == 240)
    for group, bodies in groups.items():
        firsts = dict.fromkeys(run.body for run in gateways.ledger.runs if run.group == group)
        assert list(firsts) == bodies
