"""What is over a limit is refused in milliseconds, whatever is held and whoever waits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from pilotlight.claims import Lease
from pilotlight.errors import ThrottledError
from pilotlight_autoscaler.leases.burst import BURST
from tests.autoscaler.conftest import OTHER, REVISION

if TYPE_CHECKING:
    from tests.autoscaler.conftest import Stage

THOUSANDS = 5_000
REFUSAL_SECONDS = 0.01
"""Of the processor, however busy others keep it."""


class Busy:
    """Gateways all of whose environments run."""

    def __init__(self) -> None:
        self.asked = 0

    async def recall(self, gateway: str, leases: list[str], *, rested: bool = False) -> str | None:
        del gateway, leases, rested
        self.asked += 1
        await asyncio.sleep(0)
        return None

    async def shed(self, gateway: str, leases: list[str], count: int) -> int:
        del gateway, leases, count
        return 0


def held(number: int) -> Lease:
    revision = REVISION if number % 2 else OTHER
    return Lease(f"l{number}", revision, f"e{number}", f"default/p{number}", "127.0.0.1", 1, number)


async def test_a_claim_over_the_limit_is_refused_at_once(stage: Stage) -> None:
    """With 5,000 leases held, and as many claims that come at the same moment."""
    capacity = stage.capacity(limit=THOUSANDS)
    capacity.ask(gateways := Busy())
    await capacity.succession.learn("g1", map(held, range(THOUSANDS)))
    began = time.process_time()
    with pytest.raises(ThrottledError):
        await capacity.claim(REVISION, gateway="g1", seconds=30)
    assert time.process_time() - began < REFUSAL_SECONDS
    gateways.asked = 0
    claims = [
        asyncio.create_task(capacity.claim(REVISION, gateway="g1", seconds=30))
        for _ in range(THOUSANDS)
    ]
    began = time.process_time()
    refused = await asyncio.gather(*claims, return_exceptions=True)
    assert all(isinstance(one, ThrottledError) for one in refused)
    assert time.process_time() - began < THOUSANDS * REFUSAL_SECONDS / 10
    assert gateways.asked < 10, "one that finds all running answers for all who wait"
    assert stage.compute.started == 0


async def test_claims_that_wait_are_no_burden_to_the_next(stage: Stage) -> None:
    """As many claims as a function may make at once wait for pods; the next is refused at once."""
    capacity = stage.capacity(limit=BURST)
    stage.compute.gate.clear()
    claims = [
        asyncio.create_task(capacity.claim(REVISION, gateway="g1", seconds=30))
        for _ in range(BURST)
    ]
    await asyncio.sleep(0)
    began = time.process_time()
    with pytest.raises(ThrottledError):
        await capacity.claim(OTHER, gateway="g1", seconds=30)
    assert time.process_time() - began < REFUSAL_SECONDS
    for claim in claims:
        claim.cancel()
    await asyncio.gather(*claims, return_exceptions=True)
    assert time.process_time() - began < BURST * REFUSAL_SECONDS / 10
