"""Waiting for a pod's address: as long as it helps, and not for room that is not there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pilotlight.claims import Demand
from pilotlight.compute import Crowd
from pilotlight.errors import StartFailedError, ThrottledError, WithdrawnError
from pilotlight_operator.storage.pod_start import (
    GOES_SECONDS,
    MOUNT_SECONDS,
    NO_ROOM_SECONDS,
    SPACE_SECONDS,
    Room,
    Starting,
    _wait_for_address,
)

pytestmark = pytest.mark.looptime
Status = dict[str, Any]
CROWD = Crowd("team")
METADATA = {"namespace": "team", "name": "p"}
CROWDED: Status = {
    "conditions": [{"reason": "Unschedulable", "message": "0/3 nodes are available"}]
}
RUNNING: Status = {"podIP": "10.0.0.7", "containerStatuses": [{"state": {"running": {}}}]}


class Space:
    """Counts how often somebody asked for space, which there is only from some question on."""

    def __init__(self, first: int = 1) -> None:
        self.crowds: list[Crowd] = []
        self._first = first

    @property
    def asked(self) -> int:
        """How often."""
        return len(self.crowds)

    async def make(self, crowd: Crowd) -> bool:
        """Say whether something goes."""
        self.crowds.append(crowd)
        return self.asked >= self._first


def _starting(status: Status) -> Starting:
    return Starting({"metadata": METADATA, "status": status})


async def _become(starting: Starting, status: Status) -> None:
    starting.pod = {"metadata": METADATA, "status": status}
    starting.changed.set()
    await asyncio.sleep(0)


async def test_without_room_a_start_is_throttled_soon() -> None:
    asked = Space()
    began = asyncio.get_running_loop().time()
    with pytest.raises(ThrottledError, match="0/3 nodes") as raised:
        await _wait_for_address(_starting(CROWDED), Room(asked.make, CROWD, Demand()))
    assert asyncio.get_running_loop().time() - began == pytest.approx(NO_ROOM_SECONDS, abs=0.1)
    assert raised.value.reason == "ConcurrentInvocationLimitExceeded"


async def test_changes_that_bring_no_room_do_not_prolong_it() -> None:
    asked = Space()
    starting = _starting(CROWDED)
    waiting = asyncio.create_task(_wait_for_address(starting, Room(asked.make, CROWD, Demand())))
    for _ in range(4):
        await asyncio.sleep(NO_ROOM_SECONDS / 3)
        await _become(starting, CROWDED)
    assert waiting.done()
    with pytest.raises(ThrottledError):
        waiting.result()
    assert asked.asked == 1 + NO_ROOM_SECONDS // GOES_SECONDS, "what went was not enough"


async def test_space_is_asked_for_until_there_is_some_to_make() -> None:
    """Every half second: what a call has just used may be given up when it has rested."""
    asked = Space(first=4)
    waiting = asyncio.create_task(
        _wait_for_address(_starting(CROWDED), Room(asked.make, CROWD, Demand()))
    )
    await asyncio.sleep(3 * SPACE_SECONDS + GOES_SECONDS - 0.1)
    assert asked.asked == 4
    with pytest.raises(ThrottledError):
        await waiting
    never = Space(first=1000)
    with pytest.raises(ThrottledError):
        await _wait_for_address(_starting(CROWDED), Room(never.make, CROWD, Demand()))
    assert never.asked == pytest.approx(NO_ROOM_SECONDS / SPACE_SECONDS, abs=1)


async def test_what_waits_long_says_so_and_a_pool_never_does() -> None:
    """Others than those who have more are asked only for who is waited for, and after a while."""
    for waited_for in (True, False):
        asked = Space(first=1000)
        crowd = Crowd("team", waited_for=waited_for)
        with pytest.raises(ThrottledError):
            await _wait_for_address(_starting(CROWDED), Room(asked.make, crowd, Demand()))
        assert not asked.crowds[0].urgent
        assert asked.crowds[-1].urgent == waited_for


async def test_nobody_waits_for_room_in_vain() -> None:
    """A claim that is withdrawn is no longer counted, nor does anything go for it."""
    asked, demand = Space(first=1000), Demand()
    asyncio.get_running_loop().call_later(2, demand.withdraw)
    began = asyncio.get_running_loop().time()
    with pytest.raises(WithdrawnError):
        await _wait_for_address(_starting(CROWDED), Room(asked.make, CROWD, demand))
    assert asyncio.get_running_loop().time() - began < 2 + 2 * SPACE_SECONDS


async def test_room_that_comes_in_time_is_taken() -> None:
    asked = Space()
    starting = _starting(CROWDED)
    waiting = asyncio.create_task(_wait_for_address(starting, Room(asked.make, CROWD, Demand())))
    await asyncio.sleep(NO_ROOM_SECONDS / 2)
    await _become(starting, {"phase": "Pending"})
    await asyncio.sleep(10 * NO_ROOM_SECONDS)
    await _become(starting, RUNNING)
    assert await waiting == "10.0.0.7"


async def test_a_pod_that_cannot_start_is_a_failure() -> None:
    with pytest.raises(StartFailedError):
        await _wait_for_address(
            _starting({"phase": "Failed", "reason": "Evicted"}), Room(Space().make, CROWD, Demand())
        )


UNBOUND: Status = {
    "conditions": [
        {"reason": "Unschedulable", "message": "pod has unbound immediate PersistentVolumeClaims."}
    ]
}
BARE: Status = {"conditions": [{"type": "PodReadyToStartContainers", "status": "False"}]}
CLAIMS = {"volumes": [{"persistentVolumeClaim": {"claimName": "shared"}}]}


async def test_no_room_is_made_for_a_claim_without_a_volume() -> None:
    asked = Space()
    with pytest.raises(StartFailedError) as raised:
        await _wait_for_address(_starting(UNBOUND), Room(asked.make, CROWD, Demand()))
    assert raised.value.reason == "EFSMountFailure"
    assert asked.asked == 0


async def test_what_a_node_cannot_mount_fails_while_its_caller_waits() -> None:
    began = asyncio.get_running_loop().time()
    starting = Starting({"metadata": METADATA, "status": BARE, "spec": CLAIMS})
    with pytest.raises(StartFailedError) as raised:
        await _wait_for_address(starting, Room(None, CROWD, Demand()))
    assert raised.value.reason == "EFSMountTimeout"
    assert asyncio.get_running_loop().time() - began == pytest.approx(MOUNT_SECONDS, abs=0.1)


async def test_a_slow_mount_is_waited_for() -> None:
    starting = Starting({"metadata": METADATA, "status": BARE, "spec": CLAIMS})
    waiting = asyncio.create_task(_wait_for_address(starting, Room(None, CROWD, Demand())))
    await asyncio.sleep(MOUNT_SECONDS - 1)
    await _become(starting, RUNNING)
    assert await waiting == "10.0.0.7"
