"""Two gateways on one PostgreSQL: they share the work, wake each other, and never deadlock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pilotlight_gateway.event_queue.interface import Again, Done
from tests.support.events import event, postgres_queue

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.postgres import PostgresEventQueue
    from tests.support.postgres import Postgres


async def work(queue: PostgresEventQueue, worked: list[str]) -> None:
    """Work off what is there, each event twice."""
    while leases := await queue.lease(4, 1.0, room=lambda _: 100):
        for lease in leases:
            again = Again(1.0, lease.event.tries + 1, 0)
            await queue.settle(lease, Done() if lease.event.tries else again)
            worked.append(lease.event.id)


async def test_each_event_is_leased_by_one_of_them(server: Postgres) -> None:
    async with postgres_queue(server.url) as one, postgres_queue(server.url) as other:
        await one.enqueue(*(event(f"{n}", f"f{n % 3}") for n in range(60)))
        worked: list[str] = []
        await asyncio.gather(*(work(queue, worked) for queue in (one, other, one, other)))
        await work(one, worked)
        assert sorted(worked) == sorted([f"{n}" for n in range(60)] * 2)
        counts = await one.counts()
        assert (counts.done, counts.conserved) == (60, True)


async def test_they_write_to_the_same_functions_without_a_deadlock(server: Postgres) -> None:
    async def send(queue: PostgresEventQueue, name: str, functions: list[str]) -> None:
        for n in range(20):
            await queue.enqueue(*(event(f"{name}-{n}-{f}", f) for f in functions))

    async with postgres_queue(server.url) as one, postgres_queue(server.url) as other:
        await one.counts()
        functions = ["a", "b", "c"]
        await asyncio.gather(send(one, "x", functions), send(other, "y", functions[::-1]))
        assert (await one.counts()).waiting == 120


async def test_one_is_told_of_what_the_other_accepts(server: Postgres) -> None:
    async with postgres_queue(server.url) as one, postgres_queue(server.url) as other:
        await other.wait(10.0)  # it listens now, and looks once
        waiting = asyncio.create_task(other.wait(60.0))
        await asyncio.sleep(0)
        await one.enqueue(event("a"))
        await asyncio.wait_for(waiting, 10.0)
