"""No environment is ever two tenants', in whatever order calls, evictions and failures come.

Hypothesis draws the schedule, the simulation lives through it: real gateways, autoscaler and pods'
bookkeeping, more tenants than may run at once, so that each takes the room of others.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest import mock

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pilotlight.agent.invoke import Invocation
from pilotlight_gateway.invocation.dispatch.dispatcher import Dispatcher

from .functions import TENANTS
from .processes import revision
from .simulation import Simulation, _problem, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilotlight.claims import RevisionKey

END_SECONDS = 12.0
FAULTS = ("_kill_the_leader", "_kill_a_gateway", "_kill_both", "_lose_pods", "_be_flaky", "_cut")
CALLS = st.tuples(st.sampled_from(["red", "green", "blue"]), st.sampled_from([0.0, 0.3, 2.0]))
"""Whose a call is, and how long it takes."""
STEPS = st.tuples(st.sampled_from([0.0, 0.05, 0.5, 4.0]), CALLS | st.sampled_from(FAULTS))
"""What happens after how many seconds."""

Step = tuple[float, Any]


class Tenants(Simulation):
    """The world of one schedule."""

    def __init__(self, schedule: Sequence[Step]) -> None:
        super().__init__(1, None)
        self._schedule = schedule
        self.served: list[str] = []
        """The tenants whose calls were answered."""

    async def run(self) -> None:
        """Live through it."""
        await self._begin_platform()
        for pause, step in self._schedule:
            await asyncio.sleep(pause)
            if isinstance(step, str):
                getattr(self, step)()
            else:
                self._begin(self._call_of(*step))
        await asyncio.sleep(END_SECONDS)

    async def _call_of(self, tenant: str, seconds: float) -> None:
        gateway = self.chance.choice(self.gateways)
        request_id = f"call-{next(self._numbers)}"
        invocation = Invocation(request_id, "arn", "", str(seconds).encode(), tenant_id=tenant)
        wanted = revision(*TENANTS)._replace(tenant=tenant)
        call = gateway.process.start(gateway.dispatcher.invoke(wanted, invocation))
        if await _problem(call) is None:
            self.served.append(tenant)

    def _cut(self) -> None:
        self.network.cut()


def live(schedule: Sequence[Step]) -> tuple[list[str], list[str]]:
    """Return what was violated, and whose calls were answered."""
    worlds: list[Tenants] = []

    def make(*_: object) -> Tenants:
        worlds.append(Tenants(schedule))
        return worlds[0]

    outcome = run(1, make=make)
    return outcome.violations, worlds[0].served


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=1, max_size=25))
@example([(0.05, "_kill_the_leader")] * 3)  # each leader refilled pools that the one before began
def test_no_schedule_gives_an_environment_two_tenants(schedule: list[Step]) -> None:
    violations, _ = live(schedule)
    assert not violations


def test_each_tenant_takes_the_room_of_others() -> None:
    """Two environments may be, three tenants call by turns: none is refused, all are served."""
    calls = [(0.5, (tenant, 0.0)) for tenant in ("red", "green", "blue", "red", "blue", "green")]
    violations, served = live(calls)
    assert not violations
    assert sorted(served) == sorted(tenant for _, (tenant, _) in calls)


QUEUE: Any = Dispatcher._queue


def test_a_guard_that_is_taken_away_is_missed() -> None:
    """The simulation can fail: a gateway looks for environments as if tenants did not matter."""

    def queue_of_all(dispatcher: Dispatcher, key: RevisionKey) -> Any:
        return QUEUE(dispatcher, key.of_all_tenants)

    calls = [(0.5, (tenant, 0.0)) for tenant in ("red", "green", "red", "green")]
    with mock.patch.object(Dispatcher, "_queue", queue_of_all):
        assert live(calls)[0]
