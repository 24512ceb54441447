"""Gateways that are killed while they read a real stream: nothing is lost, keys keep their order.

As `test_takeover` does it for queues, on kinesis-local.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta

from .test_takeover import Gateways, Ledger, Run, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.streams import Kinesis

KEYS, EACH = 6, 50
NAMES = itertools.count()


class KinesisLedger(Ledger):
    """What the function saw of a stream."""

    def read(self, record: dict[str, Any]) -> tuple[str, str]:
        kinesis = record["kinesis"]
        return base64.b64decode(kinesis["data"]).decode(), kinesis["partitionKey"]


@pytest.fixture
async def gateways(kinesis: Kinesis) -> AsyncIterator[Gateways]:
    found = Gateways(kinesis.url, KinesisLedger())
    yield found
    await found.close()


async def mapped(gateways: Gateways, kinesis: Kinesis, shards: int, **spec: Any) -> str:
    """Make a stream and its mapping; returns its name."""
    name = f"taken-over-{next(NAMES)}"
    arn = await asyncio.to_thread(kinesis.stream, name, shards)
    given = {"starting_position": "TRIM_HORIZON", "batch_size": 5} | spec
    made = EventSourceMapping(
        metadata=ObjectMeta(name="m", namespace="default"),
        spec=EventSourceMappingSpec(function="f", event_source_arn=arn, **given),
    )
    await gateways.resources.create(made)
    return name


def wanted() -> dict[str, list[str]]:
    return {f"k{key}": [f"{key}-{at:03}" for at in range(EACH)] for key in range(KEYS)}


def mixed() -> list[tuple[str, bytes]]:
    columns = zip(*wanted().values(), strict=True)
    return [(f"k{one[0]}", one.encode()) for row in columns for one in row]


def polled_by(gateways: Gateways) -> dict[str, set[str]]:
    """Return the shards that each gateway reads."""
    return {
        name: {shard.name for shard in keeper._working if shard.name}
        for name, keeper in gateways._keepers.items()
    }


@pytest.mark.parametrize("lanes", [1, 3])
async def test_twenty_kills_lose_nothing_and_keep_keys_in_order(
    gateways: Gateways, kinesis: Kinesis, lanes: int
) -> None:
    """Each record is handled, first in its key's order, again only if its reader was killed."""
    name = await mapped(gateways, kinesis, 2, parallelization_factor=lanes)
    await asyncio.to_thread(kinesis.put, name, mixed())
    for _ in range(2):
        gateways.start()
    for _ in range(20):
        holder = await gateways.holder()
        await until_more(gateways)
        await gateways.kill(holder)
        gateways.start()
    alive = set(gateways._keepers)
    everything = {one for bodies in wanted().values() for one in bodies}
    await until(lambda: gateways.ledger.done() == everything)
    runs: dict[str, list[Run]] = {}
    for run in gateways.ledger.runs:
        runs.setdefault(run.body, []).append(run)
    for again in runs.values():
        assert not {run.gateway for run in again[:-1]} & alive
    for key, bodies in wanted().items():
        firsts = dict.fromkeys(run.body for run in gateways.ledger.runs if run.group == key)
        assert list(firsts) == bodies


async def until_more(gateways: Gateways) -> None:
    """Wait until the function got something more, if there is anything."""
    before = len(gateways.ledger.runs)
    await until(lambda: len(gateways.ledger.runs) > before or gateways_done(gateways))


def gateways_done(gateways: Gateways) -> bool:
    return len(gateways.ledger.done()) == KEYS * EACH


async def test_shards_are_spread_moved_and_never_read_by_two(
    gateways: Gateways, kinesis: Kinesis
) -> None:
    """Eight shards on two gateways; all of them on the other once one is gone; each record once."""
    first, second = gateways.start(), gateways.start()
    name = await mapped(gateways, kinesis, 8)

    def spread() -> bool:
        shares = polled_by(gateways)
        return min(map(len, shares.values())) >= 3 and sum(map(len, shares.values())) == 8

    await until(spread)
    shares = polled_by(gateways)
    assert not shares[first] & shares[second]
    await asyncio.to_thread(kinesis.put, name, mixed())
    await until(lambda: gateways_done(gateways))
    await gateways._keepers[first].close(drain_seconds=5)
    await until(lambda: len(polled_by(gateways)[second]) == 8)
    await asyncio.to_thread(kinesis.put, name, [("k0", b"last")])
    await until(lambda: "last" in gateways.ledger.done())
    bodies = [run.body for run in gateways.ledger.runs]
    assert len(bodies) == len(set(bodies)) == KEYS * EACH + 1


async def test_what_begins_with_the_latest_record_loses_none_to_a_kill(
    gateways: Gateways, kinesis: Kinesis
) -> None:
    """A record that comes before anybody takes the shard over is read, though none was before."""
    name = await mapped(gateways, kinesis, 1, starting_position="LATEST")
    first = gateways.start()

    async def is_read() -> bool:
        [made] = await gateways.resources.list(EventSourceMapping)
        shards = await gateways.leases.shards(made.metadata.uid)
        return any("since" in one.checkpoint for one in shards)

    async with asyncio.timeout(20):
        while not await is_read():  # noqa: ASYNC110  a real server is in it
            await asyncio.sleep(0.01)
    await gateways.kill(first)
    await asyncio.to_thread(kinesis.put, name, [("k", b"meanwhile")])
    gateways.start()
    await until(lambda: gateways.ledger.done() == {"meanwhile"})
