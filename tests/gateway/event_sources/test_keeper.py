"""Which gateway polls what: shares, takeover, hand over, what changes and what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pilotlight.cache import Cache
from pilotlight.errors import InvalidResourceError, UnavailableError
from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, Key, ObjectMeta
from pilotlight_gateway.event_sources.keeper import Keeper
from pilotlight_gateway.event_sources.source import SourceError
from tests.support.memory import MemoryResources
from tests.support.memory_event_queue import memory_source_leases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pilotlight_gateway.event_sources.source import HeldShard
    from pilotlight_gateway.services import Services

LEASE, ROUND = 0.4, 0.05
QUEUE = "arn:aws:sqs:us-east-1:000000000000:"


class Polls:
    """What is polled by whom at this moment; a source does nothing else here."""

    def __init__(self) -> None:
        self.by: dict[tuple[str, str], HeldShard] = {}
        """By gateway and mapping."""
        self.twice: list[str] = []
        self.failure: SourceError | None = None

    async def run(self, gateway: str, name: str, shard: HeldShard) -> None:
        if self.failure is not None:
            raise self.failure
        if any(other == name for _, other in self.by):
            self.twice.append(name)
        self.by[gateway, name] = shard
        try:
            await shard.stopping.wait()
        finally:
            del self.by[gateway, name]

    def of(self, gateway: str) -> set[str]:
        return {name for holder, name in self.by if holder == gateway}


class World:
    """Gateways over one store and one database of leases."""

    def __init__(self, lease_seconds: float = LEASE) -> None:
        self.resources = MemoryResources()
        self.leases = memory_source_leases()
        self._lease_seconds = lease_seconds
        self.polls = Polls()
        self.keepers: dict[str, Keeper] = {}
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    async def put(self, name: str, **spec: Any) -> EventSourceMapping:
        given = {"function": "f", "event_source_arn": QUEUE + name} | spec
        return await self.resources.create(
            EventSourceMapping(
                metadata=ObjectMeta(name=name, namespace="default"),
                spec=EventSourceMappingSpec(**given),
            )
        )

    async def stored(self, name: str) -> EventSourceMapping:
        return await self.resources.get(EventSourceMapping, Key("default", name))

    async def start(self, name: str) -> Keeper:
        cache = Cache(self.resources, EventSourceMapping)
        services = SimpleNamespace(
            cache=cache, resources=cache.resources,
            settings=SimpleNamespace(gateway=name),
            events=SimpleNamespace(source_leases=self.leases),
        )  # fmt: skip

        async def make(mapping: EventSourceMapping) -> Any:
            async def run(shard: HeldShard) -> None:
                await self.polls.run(name, mapping.metadata.name, shard)

            return SimpleNamespace(run=run)

        keeper = Keeper(
            cast("Services", services), make, lease_seconds=self._lease_seconds, round_seconds=ROUND
        )
        self.keepers[name] = keeper
        self._tasks[name] = [
            asyncio.create_task(cache.run()),
            asyncio.create_task(keeper.run()),
        ]
        return keeper

    async def kill(self, name: str) -> None:
        """End a gateway without a word to anybody."""
        tasks = [
            *self._tasks.pop(name),
            *(one.task for one in self.keepers[name]._working.values()),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        for name in list(self._tasks):
            await self.kill(name)


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something holds that nobody tells of; it may be awaitable."""
    async with asyncio.timeout(10):
        while True:
            found = holds()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    yield found
    await found.close()


async def test_mappings_spread_over_gateways_and_none_is_polled_twice(world: World) -> None:
    names = {f"q{number}" for number in range(8)}
    for name in names:
        await world.put(name)
    await world.start("a")
    await until(lambda: world.polls.of("a") == names)
    await world.start("b")
    await until(lambda: len(world.polls.of("a")) == len(world.polls.of("b")) == 4)
    assert world.polls.of("a") | world.polls.of("b") == names
    assert world.polls.twice == []


async def test_what_a_dead_gateway_polled_is_taken_over(world: World) -> None:
    """In the time of a lease and a round; the epoch is a new one."""
    for name in ("q1", "q2"):
        await world.put(name)
    await world.start("a")
    await world.start("b")
    await until(lambda: len(world.polls.of("a")) == len(world.polls.of("b")) == 1)
    [(_, name)] = [one for one in world.polls.by if one[0] == "a"]
    before = world.polls.by["a", name].lease.epoch
    await world.kill("a")
    died_at = asyncio.get_running_loop().time()
    await until(lambda: len(world.polls.of("b")) == 2)
    assert asyncio.get_running_loop().time() - died_at < LEASE + 5 * ROUND + 1
    assert world.polls.by["b", name].lease.epoch == before + 1


async def test_a_gateway_that_is_drained_gives_back_at_once(world: World) -> None:
    for name in ("q1", "q2"):
        await world.put(name)
    keeper = await world.start("a")
    await world.start("b")
    await until(lambda: len(world.polls.of("a")) == len(world.polls.of("b")) == 1)
    await keeper.close(drain_seconds=5)
    states = [
        await world.leases.shards((await world.stored(one)).metadata.uid) for one in ("q1", "q2")
    ]
    assert "a" not in {shard.holder for state in states for shard in state}
    await until(lambda: world.polls.of("b") == {"q1", "q2"})
    assert world.polls.twice == []


async def test_who_leaves_is_not_counted_any_more() -> None:
    """Others take its share at once, not when its lease would have ended."""
    world = World(lease_seconds=60)
    await world.put("q1")
    await world.start("a")
    await until(lambda: world.polls.of("a") == {"q1"})
    idle = await world.start("b")
    await until(lambda: idle._held_until > 0)
    await idle.close(drain_seconds=5)
    await world.put("q2")
    await until(lambda: world.polls.of("a") == {"q1", "q2"})
    await world.close()


async def test_who_asked_for_nothing_ends_without_a_word_to_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may not answer: a gateway is told to end before it has reached it."""
    told = 0

    async def leave(_: str) -> None:
        nonlocal told
        told += 1

    monkeypatch.setattr(world.leases, "leave", leave)
    await (await world.start("a")).close(drain_seconds=5)
    assert told == 0


async def test_a_database_that_does_not_answer_holds_up_no_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be given back is taken when its lease has ended."""
    await world.put("q")
    keeper = await world.start("a")
    await until(lambda: world.polls.of("a") == {"q"})

    async def leave(_: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.leases, "leave", leave)
    async with asyncio.timeout(10):
        await keeper.close(drain_seconds=5)


async def test_a_shard_that_another_holds_is_let_go_of_at_once(world: World) -> None:
    """Without ending what was begun: it is the other's now."""
    mapping = await world.put("q")
    await world.start("a")
    await until(lambda: world.polls.of("a") == {"q"})
    lost = world.polls.by["a", "q"]
    await world.leases.leave("a")
    holding = await world.leases.hold("thief", [mapping.metadata.uid], 60)
    assert len(holding.leases) == 1
    await until(lambda: world.polls.of("a") == set())
    assert not lost.stopping.is_set()


async def test_a_database_that_is_away_ends_polling_before_the_lease_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody polls what another may hold; once it is back all goes on."""
    await world.put("q")
    await world.start("a")
    await until(lambda: world.polls.of("a") == {"q"})
    hold = world.leases.hold

    async def away(*_: Any, **__: Any) -> Any:
        raise UnavailableError("away")

    monkeypatch.setattr(world.leases, "hold", away)
    await until(lambda: world.polls.of("a") == set())
    monkeypatch.setattr(world.leases, "hold", hold)
    await until(lambda: world.polls.of("a") == {"q"})


async def test_a_change_is_polled_by_its_new_spec_after_the_old(world: World) -> None:
    mapping = await world.put("q")
    await world.start("a")
    await until(lambda: world.polls.of("a") == {"q"})
    first = world.polls.by["a", "q"]
    spec = mapping.spec.model_copy(update={"batch_size": 3})
    stored = await world.stored("q")
    await world.resources.replace(stored.model_copy(update={"spec": spec}))
    await until(lambda: world.polls.by.get(("a", "q"), first) is not first)
    assert first.stopping.is_set()
    assert world.polls.twice == []
    await until_status(world, "q", lambda status: status.observed_generation == 2)


async def test_a_mapping_that_is_deleted_is_forgotten(world: World) -> None:
    mapping = await world.put("q")
    await world.start("a")
    await until(lambda: world.polls.of("a") == {"q"})
    await world.resources.delete(EventSourceMapping, mapping.key)
    await until(lambda: world.polls.of("a") == set())

    async def is_forgotten() -> bool:
        return not await world.leases.shards(mapping.metadata.uid)

    await until(is_forgotten)


async def test_trouble_is_told_and_the_source_polled_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, reason and condition say why; when it is over they say so, too."""
    monkeypatch.setattr("pilotlight_gateway.event_sources.keeper.FIRST_PAUSE", 0.05)
    await world.put("q")
    world.polls.failure = SourceError("no such queue", "NotFound")
    await world.start("a")
    await until_status(world, "q", lambda status: status.state_transition_reason == "no such queue")
    status = (await world.stored("q")).status
    assert status.last_processing_result == "PROBLEM: no such queue"
    assert [(one.status, one.reason) for one in status.conditions] == [("False", "NotFound")]
    world.polls.failure = None
    await until(lambda: world.polls.of("a") == {"q"})


async def test_a_status_that_cannot_be_written_keeps_no_other_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One account's mapping must not silence the others'."""
    names = ("first", "second", "third")
    for name in names:
        await world.put(name)
    write = world.resources.write_status

    async def refuse(mapping: Any) -> Any:
        if mapping.metadata.name != "third":
            raise InvalidResourceError("too large")
        return await write(mapping)

    monkeypatch.setattr(world.resources, "write_status", refuse)
    await world.start("a")
    await until_status(world, "third", lambda status: status.state == "Enabled")


async def test_filters_are_compiled_once_a_generation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not in every round, for a hostile pattern may take its time."""
    checks = 0
    problem = EventSourceMapping.problem

    def counted(mapping: EventSourceMapping) -> str | None:
        nonlocal checks
        checks += 1
        return problem(mapping)

    monkeypatch.setattr(EventSourceMapping, "problem", counted)
    mapping = await world.put("q")
    await world.start("a")
    await until_status(world, "q", lambda status: status.state == "Enabled")
    spec = mapping.spec.model_copy(update={"enabled": False})
    stored = await world.stored("q")
    await world.resources.replace(stored.model_copy(update={"spec": spec}))
    await until_status(world, "q", lambda status: status.state == "Disabled")
    assert checks <= 2


async def test_of_two_mappings_of_one_pair_the_older_is_polled(world: World) -> None:
    """What `kubectl` lets through is told and harms nobody."""
    await world.put("old", event_source_arn=QUEUE + "same")
    await world.put("young", event_source_arn=QUEUE + "same")
    await world.start("a")
    await until(lambda: world.polls.of("a") == {"old"})
    await until_status(world, "young", lambda status: bool(status.conditions))
    [ready] = (await world.stored("young")).status.conditions
    assert (ready.reason, "old maps" in ready.message) == ("Duplicate", True)


async def test_a_status_that_says_nothing_new_is_not_written(world: World) -> None:
    await world.put("q")
    await world.start("a")
    await until_status(world, "q", lambda status: status.state == "Enabled")
    writes = world.resources.writes.count
    rounds = 0
    hold = world.leases.hold

    async def counted(*args: Any, **options: Any) -> Any:
        nonlocal rounds
        rounds += 1
        return await hold(*args, **options)

    world.leases.hold = counted  # type: ignore[method-assign]  # to see rounds pass
    await until(lambda: rounds >= 3)
    assert world.resources.writes.count == writes


async def until_status(world: World, name: str, holds: Callable[[Any], bool]) -> None:
    async def is_so() -> bool:
        return holds((await world.stored(name)).status)

    await until(is_so)
