"""Waiting for a pod's address: as long as it helps, and not for room that is not there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pilotlight.errors import StartFailedError, ThrottledError
from pilotlight_operator.storage.pods import NO_ROOM_SECONDS, _Starting, _wait_for_address

pytestmark = pytest.mark.looptime
Status = dict[str, Any]
METADATA = {"namespace": "team", "name": "p"}
CROWDED: Status = {
    "conditions": [{"reason": "Unschedulable", "message": "0/3 nodes are available"}]
}
RUNNING: Status = {"podIP": "10.0.0.7", "containerStatuses": [{"state": {"running": {}}}]}


class Space:
    """Counts how often somebody asked for space."""

    def __init__(self) -> None:
        self.asked = 0

    async def make(self, _: str) -> None:
        """Make none."""
        self.asked += 1


def _starting(status: Status) -> _Starting:
    return _Starting({"metadata": METADATA, "status": status})


async def _become(starting: _Starting, status: Status) -> None:
    starting.pod = {"metadata": METADATA, "status": status}
    starting.changed.set()
    await asyncio.sleep(0)


async def test_without_room_a_start_is_throttled_soon() -> None:
    asked = Space()
    began = asyncio.get_running_loop().time()
    with pytest.raises(ThrottledError, match="0/3 nodes") as raised:
        await _wait_for_address(_starting(CROWDED), asked.make)
    assert asyncio.get_running_loop().time() - began == pytest.approx(NO_ROOM_SECONDS, abs=0.1)
    assert raised.value.reason == "ConcurrentInvocationLimitExceeded"


async def test_changes_that_bring_no_room_do_not_prolong_it() -> None:
    asked = Space()
    starting = _starting(CROWDED)
    waiting = asyncio.create_task(_wait_for_address(starting, asked.make))
    for _ in range(4):
        await asyncio.sleep(NO_ROOM_SECONDS / 3)
        await _become(starting, CROWDED)
    assert waiting.done()
    with pytest.raises(ThrottledError):
        waiting.result()
    assert asked.asked == 1


async def test_room_that_comes_in_time_is_taken() -> None:
    asked = Space()
    starting = _starting(CROWDED)
    waiting = asyncio.create_task(_wait_for_address(starting, asked.make))
    await asyncio.sleep(NO_ROOM_SECONDS / 2)
    await _become(starting, {"phase": "Pending"})
    await asyncio.sleep(10 * NO_ROOM_SECONDS)
    await _become(starting, RUNNING)
    assert await waiting == "10.0.0.7"


async def test_a_pod_that_cannot_start_is_a_failure() -> None:
    with pytest.raises(StartFailedError):
        await _wait_for_address(_starting({"phase": "Failed", "reason": "Evicted"}), Space().make)
