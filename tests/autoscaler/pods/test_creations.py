"""Turns of making pods, in virtual time: bounded, by function, and none that comes too late."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import ThrottledError
from pilotlight.resources import Key
from pilotlight_autoscaler.pods.creations import LEAST_SECONDS, PER_NODE, Creations
from tests.autoscaler.conftest import OTHER, REVISION

if TYPE_CHECKING:
    from tests.autoscaler.conftest import Stage

pytestmark = pytest.mark.looptime

LOUD, QUIET = Key("default", "loud"), Key("default", "quiet")
POD_SECONDS = 4.0


async def make(creations: Creations, function: Key, made: list[Key], seconds: float = 60.0) -> None:
    async with creations.turn(function, seconds):
        await asyncio.sleep(POD_SECONDS)
        made.append(function)


async def test_no_more_are_made_at_once_than_nodes_start() -> None:
    """Whatever is asked for; each node that is seen brings its share."""
    for nodes in (1, 3):
        made: list[Key] = []
        creations = Creations(partial(int, nodes))
        everyone = [asyncio.create_task(make(creations, LOUD, made)) for _ in range(40)]
        await asyncio.sleep(POD_SECONDS + 0.1)
        # A function of which one was made leaves a turn to others.
        assert PER_NODE * nodes - 1 <= len(made) <= PER_NODE * nodes
        await asyncio.gather(*everyone)


async def test_a_function_waits_for_no_others_crowd() -> None:
    """It is served with the next turn that comes."""
    creations, made = Creations(lambda: 1), list[Key]()
    crowd = [asyncio.create_task(make(creations, LOUD, made)) for _ in range(60)]
    await asyncio.sleep(0.1)
    await make(creations, QUIET, made)
    assert made.count(LOUD) <= 2 * PER_NODE
    await asyncio.gather(*crowd)


async def test_what_would_come_too_late_is_not_begun() -> None:
    """It is refused while there is time to say so, and takes nobody's turn."""
    creations, made = Creations(lambda: 1), list[Key]()
    crowd = [asyncio.create_task(make(creations, LOUD, made, seconds=90)) for _ in range(60)]
    await asyncio.sleep(0.1)
    late = [asyncio.create_task(make(creations, LOUD, made, seconds=10)) for _ in range(5)]
    began = asyncio.get_running_loop().time()
    refused = await asyncio.gather(*late, return_exceptions=True)
    assert all(isinstance(one, ThrottledError) for one in refused)
    assert asyncio.get_running_loop().time() - began == pytest.approx(10 - LEAST_SECONDS, abs=0.1)
    await asyncio.gather(*crowd)
    assert len(made) == 60


async def test_claims_beyond_what_a_node_starts_begin_nothing(stage: Stage) -> None:
    """A storm of claims makes a few pods at a time, and another function's comes soon."""
    table = stage.capacity()
    stage.compute.gate.clear()
    storm = [
        asyncio.create_task(table.claim(REVISION, gateway="a", seconds=30)) for _ in range(300)
    ]
    await asyncio.sleep(0)
    other = asyncio.create_task(table.claim(OTHER, gateway="a", seconds=30))
    await asyncio.sleep(1)
    assert stage.compute.started <= PER_NODE
    assert not other.done()
    stage.compute.gate.set()
    assert (await other).revision == OTHER
    for claim in storm:
        claim.cancel()
    await asyncio.gather(*storm, return_exceptions=True)
