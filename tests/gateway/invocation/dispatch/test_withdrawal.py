"""Claims that are one too many are withdrawn, in virtual time, by a leader that has no pods."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from pilotlight.claims import Demand
from pilotlight.errors import WithdrawnError
from pilotlight_gateway.invocation.cold_starts import ColdStarts
from pilotlight_gateway.invocation.dispatch.dispatcher import WITHDRAW_SECONDS, Dispatcher
from tests.gateway.invocation.dispatch.test_idling import INVOCATION, REVISION

if TYPE_CHECKING:
    from pilotlight.claims import Holder, Lease, ReleaseReason, RevisionKey
    from pilotlight.resources import Key

pytestmark = pytest.mark.looptime


class Claims:
    """Grants nothing, and lets go of what is withdrawn."""

    def __init__(self) -> None:
        self.waiting = 0
        self.made = 0

    def bind(self, holder: Holder) -> None:
        """Ask nobody for anything."""

    async def claim(
        self, revision: RevisionKey, *, seconds: float, demand: Demand | None = None
    ) -> Lease:
        """Wait until nobody waits for it."""
        left = asyncio.Event()
        self.waiting += 1
        self.made += 1
        try:
            with (demand or Demand()).waiting(left.set):
                await asyncio.wait_for(left.wait(), seconds)
        finally:
            self.waiting -= 1
        raise WithdrawnError(f"nobody waits for {revision}")

    async def withdraw(self, demand: Demand) -> None:
        """Let go of it."""
        demand.withdraw()

    async def release(self, lease: Lease, reason: ReleaseReason) -> None:
        """Nothing was granted."""

    async def acknowledge(self, function: Key, revision: str) -> None:
        """Nobody asks."""


async def test_claims_follow_who_waits() -> None:
    """Callers that go take their claims with them; those of others stay, and none is made anew."""
    claims = Claims()
    dispatcher = Dispatcher(
        claims,
        b"key",
        None,  # type: ignore[arg-type]  # no environment has output
        ColdStarts(CollectorRegistry()),
        gateway="g",
    )
    running = asyncio.create_task(dispatcher.run())
    calls = [asyncio.create_task(dispatcher.invoke(REVISION, INVOCATION)) for _ in range(20)]
    await asyncio.sleep(2.5 * WITHDRAW_SECONDS)
    assert claims.waiting == 20
    for call in calls[:15]:
        call.cancel()
    await asyncio.sleep(0.4 * WITHDRAW_SECONDS)
    assert claims.waiting == 20, "a moment without callers is no reason"
    await asyncio.sleep(2 * WITHDRAW_SECONDS)
    assert (claims.waiting, claims.made) == (5, 20)
    for call in calls[15:]:
        call.cancel()
    await asyncio.sleep(2 * WITHDRAW_SECONDS + 0.1)
    assert claims.waiting == 0
    running.cancel()
    await asyncio.gather(running, *calls, return_exceptions=True)
    await dispatcher.close()
