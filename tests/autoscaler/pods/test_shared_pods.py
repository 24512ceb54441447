"""Several environments in a pod: claims share pods, and a pod ends when nobody is in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StartFailedError, ThrottledError
from tests.autoscaler.conftest import OTHER, REVISION
from tests.autoscaler.leases.test_caps import (
    claim,
    followed,
    reserve,
    settled,
    share_pods,
    take_calls,
)

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


async def test_calls_of_one_environment_are_leased_one_by_one(stage: Stage) -> None:
    """So a limit counts calls; the environment has the memory of one, and learns how many come."""
    await take_calls(stage, "f", PLACES)
    await reserve(stage, PLACES + 1)
    capacity = stage.capacity(limit=10)
    async with followed(stage):
        leases = [await claim(capacity) for _ in range(PLACES + 1)]
        with pytest.raises(ThrottledError):
            await claim(capacity)
    assert [lease.pod for lease in leases[:-1]] == [leases[0].pod] * PLACES
    assert leases[-1].pod != leases[0].pod
    assert len({lease.environment for lease in leases}) == PLACES + 1
    assert {one.function.calls_per_environment for one in stage.agents.specialised} == {PLACES}
    assert {request.memory for request in stage.compute.requests.values()} == {128}


async def test_provisioned_calls_share_environments_of_their_own(stage: Stage) -> None:
    """What is not provisioned is in none of these, and one that is wanted no more leaves alone."""
    await take_calls(stage, "f", 2)
    capacity = stage.capacity()
    stage.stock.want({REVISION: 3})
    for _ in range(3):
        await capacity.provision(REVISION, seconds=5)
    assert stage.stock.live(REVISION) == 3
    assert len(stage.stock.pods()) == stage.compute.started == 2
    provisioned = [await claim(capacity) for _ in range(3)]
    further = await claim(capacity)
    assert {lease.pod for lease in provisioned} == stage.stock.pods()
    assert not further.provisioned
    assert further.pod not in stage.stock.pods()
    stage.stock.want({REVISION: 1})
    for lease in provisioned[:2]:
        await capacity.release(lease.id, "idle")
    await settled()
    assert stage.compute.pods == {provisioned[2].pod, further.pod}
    assert stage.stock.live(REVISION) == 1


async def test_a_call_that_ended_ends_its_environment_once_the_others_have(stage: Stage) -> None:
    """Nobody is placed in it any more, and what runs in it counts until it is given back."""
    await take_calls(stage, "f", 3)
    capacity = stage.capacity()
    stage.stock.want({REVISION: 3})
    for _ in range(3):
        await capacity.provision(REVISION, seconds=5)
    ended, running = await claim(capacity), await claim(capacity)
    await capacity.release(ended.id, "ended")
    assert stage.stock.live(REVISION) == 1
    assert stage.stock.ready(REVISION) == 0
    await capacity.provision(REVISION, seconds=5)
    await capacity.release(running.id, "idle")
    await settled()
    assert running.pod not in stage.stock.pods()
    assert stage.stock.live(REVISION) == 1
