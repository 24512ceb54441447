"""Leadership in virtual time: one leader at a time, whatever stops or stalls."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pilotlight.errors import UnavailableError
from pilotlight.storage.kubernetes.lease import LeaseRecord
from pilotlight_operator.leadership import (
    DURATION_SECONDS,
    GIVE_UP_SECONDS,
    RENEW_SECONDS,
    RETRY_SECONDS,
    Leadership,
)

pytestmark = pytest.mark.looptime


class MemoryLease:
    """A Lease that several stand for; `away` makes it unreachable for some of them."""

    def __init__(self) -> None:
        self.record = LeaseRecord()
        self.writes = 0

    def seen_by(self, name: str) -> Face:
        """Return one process's connection to it."""
        return Face(self, name)


class Face:
    """One process's view of the Lease."""

    def __init__(self, lease: MemoryLease, name: str) -> None:
        self.lease, self.name = lease, name
        self.away = False
        self.hangs = False
        self.slow = 0.0
        """Seconds until a write that has taken effect is answered."""

    async def read(self) -> LeaseRecord:
        await self._reach()
        return self.lease.record

    async def write(
        self, before: LeaseRecord, *, holder: str, seconds: int, taken: bool = False
    ) -> LeaseRecord | None:
        assert seconds > 0
        await self._reach()
        if before != self.lease.record:
            return None
        self.lease.writes += 1
        self.lease.record = replace(
            before,
            holder=holder,
            renewed=f"write {self.lease.writes}",
            transitions=before.transitions + taken,
        )
        written = self.lease.record
        await asyncio.sleep(self.slow)
        return written

    async def _reach(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise UnavailableError("the API server is away")


@pytest.fixture
def lease() -> MemoryLease:
    return MemoryLease()


async def test_the_first_one_leads_at_once(lease: MemoryLease) -> None:
    leader = Leadership(lease.seen_by("a"), "a:1")
    assert await leader.acquire() == 1
    assert lease.record.holder == "a:1"
    assert asyncio.get_running_loop().time() == 0


async def test_a_standby_waits_for_a_leader_that_renews(lease: MemoryLease) -> None:
    leader, standby = Leadership(lease.seen_by("a"), "a:1"), Leadership(lease.seen_by("b"), "b:1")
    await leader.acquire()
    holding = asyncio.create_task(leader.hold())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(standby.acquire(), 10 * DURATION_SECONDS)
    holding.cancel()


async def test_a_standby_takes_over_from_a_leader_that_died(lease: MemoryLease) -> None:
    await Leadership(lease.seen_by("a"), "a:1").acquire()
    standby = Leadership(lease.seen_by("b"), "b:1")
    assert await standby.acquire() == 2
    assert DURATION_SECONDS <= asyncio.get_running_loop().time() <= DURATION_SECONDS + 3


async def test_a_released_lease_is_taken_at_once(lease: MemoryLease) -> None:
    leader, standby = Leadership(lease.seen_by("a"), "a:1"), Leadership(lease.seen_by("b"), "b:1")
    await leader.acquire()
    await leader.release()
    await standby.acquire()
    assert asyncio.get_running_loop().time() <= 1
    assert lease.record.holder == "b:1"


async def test_a_lease_is_released_although_a_renewal_was_cut_off(lease: MemoryLease) -> None:
    """It had taken effect, and nobody had heard: the record that is known is an old one."""
    face = lease.seen_by("a")
    leader = Leadership(face, "a:1")
    await leader.acquire()
    face.slow = 1.0
    holding = asyncio.create_task(leader.hold())
    await asyncio.sleep(RENEW_SECONDS + 0.5)
    holding.cancel()
    await leader.release()
    assert not lease.record.holder


async def test_a_lease_is_released_once_it_can_be_reached_again(lease: MemoryLease) -> None:
    face = lease.seen_by("a")
    leader = Leadership(face, "a:1")
    await leader.acquire()
    face.away = True
    releasing = asyncio.create_task(leader.release())
    await asyncio.sleep(3)
    assert lease.record.holder
    face.away = False
    await releasing
    assert not lease.record.holder


async def test_a_lease_of_another_is_left_alone(lease: MemoryLease) -> None:
    leader = Leadership(lease.seen_by("a"), "a:1")
    await leader.acquire()
    lease.record = replace(lease.record, holder="b:1", renewed="another")
    await leader.release()
    assert lease.record.holder == "b:1"


@pytest.mark.parametrize("how", ["away", "hangs"])
async def test_a_leader_cut_off_stops_before_a_standby_may_lead(
    lease: MemoryLease, how: str
) -> None:
    face = lease.seen_by("a")
    leader, standby = Leadership(face, "a:1"), Leadership(lease.seen_by("b"), "b:1")
    await leader.acquire()
    setattr(face, how, True)
    clock = asyncio.get_running_loop().time
    succession = asyncio.create_task(standby.acquire())
    await leader.hold()
    assert clock() <= GIVE_UP_SECONDS + 0.1
    assert not succession.done()
    await succession
    assert clock() >= DURATION_SECONDS


async def test_a_short_absence_of_the_api_server_is_survived(lease: MemoryLease) -> None:
    face = lease.seen_by("a")
    leader = Leadership(face, "a:1")
    await leader.acquire()
    holding = asyncio.create_task(leader.hold())
    face.away = True
    await asyncio.sleep(GIVE_UP_SECONDS - 3)
    face.away = False
    await asyncio.sleep(60)
    assert not holding.done()
    holding.cancel()


async def test_writes_whose_answers_do_not_come_in_time_renew(lease: MemoryLease) -> None:
    """The Lease says so: a slow API server costs nobody the leadership."""
    face = lease.seen_by("a")
    leader, standby = Leadership(face, "a:1"), Leadership(lease.seen_by("b"), "b:1")
    await leader.acquire()
    face.slow = 30.0
    holding = asyncio.create_task(leader.hold())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(standby.acquire(), 20 * DURATION_SECONDS)
    assert not holding.done()
    holding.cancel()


@pytest.mark.parametrize("cut", [4.5, 8.0])
async def test_a_renewal_counts_from_the_first_try_that_may_have_made_it(
    lease: MemoryLease, cut: float
) -> None:
    """A write without an answer, then nothing for a while: no two lead, whenever that begins."""
    face = lease.seen_by("a")
    leader, standby = Leadership(face, "a:1"), Leadership(lease.seen_by("b"), "b:1")
    await leader.acquire()
    face.slow = 30.0
    succession = asyncio.create_task(standby.acquire())
    holding = asyncio.create_task(leader.hold())
    await asyncio.sleep(cut)
    face.hangs = True
    await holding
    assert not succession.done()
    await succession


async def test_who_finds_another_holder_stops(lease: MemoryLease) -> None:
    leader = Leadership(lease.seen_by("a"), "a:1")
    await leader.acquire()
    lease.record = replace(lease.record, holder="thief:1", renewed="now")
    await asyncio.wait_for(leader.hold(), 6)


async def test_a_new_process_at_the_same_address_leads_at_once(lease: MemoryLease) -> None:
    """As another leader: its epochs must be above those of the one before it."""
    assert await Leadership(lease.seen_by("a"), "a:1").acquire() == 1
    assert await Leadership(lease.seen_by("a"), "a:1").acquire() == 2
    assert asyncio.get_running_loop().time() == 0


async def test_everybody_knows_how_old_the_lease_is(lease: MemoryLease) -> None:
    """The leader by its own writes, a standby by those that it sees."""
    face = lease.seen_by("a")
    leader, standby = Leadership(face, "a:1"), Leadership(lease.seen_by("b"), "b:1")
    await leader.acquire()
    work = [asyncio.create_task(one) for one in (leader.hold(), standby.acquire())]
    await asyncio.sleep(30)
    assert leader.age() <= RENEW_SECONDS
    assert standby.age() <= RENEW_SECONDS + RETRY_SECONDS
    face.away = True
    await asyncio.sleep(GIVE_UP_SECONDS - RENEW_SECONDS)
    assert leader.age() > GIVE_UP_SECONDS - RENEW_SECONDS
    assert standby.age() > GIVE_UP_SECONDS - RENEW_SECONDS - RETRY_SECONDS
    for one in work:
        one.cancel()
