"""Several environments in a pod: claims share pods, and a pod ends when nobody is in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StartFailedError
from tests.autoscaler.conftest import OTHER
from tests.autoscaler.leases.test_caps import claim, settled, share_pods

if TYPE_CHECKING:
    from tests.autoscaler.conftest import Stage

PLACES = 3


async def test_claims_at_once_share_pods(stage: Stage) -> None:
    """Those that come while a pod starts wait for it, up to its places."""
    await share_pods(stage, "other", PLACES)
    capacity = stage.capacity()
    stage.compute.gate.clear()
    claims = [asyncio.create_task(claim(capacity, OTHER)) for _ in range(7)]
    await settled()
    assert stage.compute.started == 3
    stage.compute.gate.set()
    leases = await asyncio.gather(*claims)
    assert len({lease.environment for lease in leases}) == 7
    assert len({lease.pod for lease in leases}) == 3
    assert [one.environments for one in stage.agents.specialised] == [3, 3, 1]  # and no forks


async def test_what_is_given_back_is_used_again(stage: Stage) -> None:
    """While somebody else is in the pod, which ends with the last one."""
    await share_pods(stage, "other", PLACES)
    capacity = stage.capacity()
    first, second = await claim(capacity, OTHER), await claim(capacity, OTHER)
    await capacity.release(first.id, "idle")
    again = await claim(capacity, OTHER, gateway="g2")
    assert (again.pod, again.environment) == (first.pod, first.environment)
    assert again.epoch > second.epoch
    await capacity.release(again.id, "idle")
    await settled()
    assert stage.compute.pods
    await capacity.release(second.id, "idle")
    await settled()
    assert not stage.compute.pods
    await claim(capacity, OTHER)
    assert stage.compute.started == 2


async def test_a_pod_that_does_not_start_fails_all_that_wait_for_it(stage: Stage) -> None:
    """And leaves nothing behind."""
    await share_pods(stage, "other", PLACES)
    capacity = stage.capacity()
    stage.compute.gate.clear()
    claims = [asyncio.create_task(claim(capacity, OTHER)) for _ in range(2)]
    await settled()
    stage.compute.failing = True
    stage.compute.gate.set()
    answers = await asyncio.gather(*claims, return_exceptions=True)
    assert all(isinstance(answer, StartFailedError) for answer in answers)
    stage.compute.failing = False
    await claim(capacity, OTHER)
    assert len(stage.compute.pods) == 1


async def test_a_fork_that_fails_gives_its_place_back(stage: Stage) -> None:
    """The pod is still good."""
    await share_pods(stage, "other", 2)
    capacity = stage.capacity()
    await claim(capacity, OTHER)
    stage.agents.fail_next = 1
    with pytest.raises(StartFailedError):
        await claim(capacity, OTHER)
    stage.agents.fail_next = 0
    await claim(capacity, OTHER)
    assert stage.compute.started == 1


async def test_a_pod_is_as_large_as_all_that_share_it(stage: Stage) -> None:
    """So that it gets a pod of its own where they do not fit the generic size class."""
    await share_pods(stage, "other", 10)
    placement = await stage.revisions().place(OTHER)
    assert placement.pod.memory == 1280
    assert placement.pod.fits_generic
    await share_pods(stage, "other", 20)
    assert not (await stage.revisions().place(OTHER)).pod.fits_generic


async def test_a_lost_pod_takes_its_environments_along(stage: Stage) -> None:
    """Nothing is given from it any more."""
    await share_pods(stage, "other", PLACES)
    capacity = stage.capacity()
    lost = await claim(capacity, OTHER)
    await stage.compute.lose(lost.pod)
    assert (await claim(capacity, OTHER)).pod != lost.pod
