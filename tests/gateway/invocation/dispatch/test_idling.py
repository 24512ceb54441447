"""To zero and back, in virtual time: what idles goes, what is expected comes, what runs stays."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, Self

import pytest
from prometheus_client import CollectorRegistry

from pilotlight.claims import Demand, Lease, RevisionKey
from pilotlight.errors import ThrottledError
from pilotlight.keep_alive import RULES, KeepAliveSpec
from pilotlight_gateway.invocation.cold_starts import ColdStarts
from pilotlight_gateway.invocation.dispatch import agent_events, idling
from pilotlight_gateway.invocation.dispatch import dispatcher as module
from pilotlight_gateway.invocation.dispatch.dispatcher import Dispatcher
from pilotlight_gateway.invocation.dispatch.environment import Environment
from pilotlight_gateway.invocation.dispatch.queue import PATIENCE_SECONDS
from pilotlight_gateway.invocation.invocation import Answer, Invocation

if TYPE_CHECKING:
    from pilotlight.claims import Holder, ReleaseReason
    from pilotlight.resources import Key

# Nothing comes from outside, so time need not wait 42 turns of the loop for it: it passes in hours,
# a second at a time.
pytestmark = pytest.mark.looptime(noop_cycles=1)

REVISION = RevisionKey("default", "f", "0" * 16)
INVOCATION = Invocation(
    request_id="r", function_arn="arn", trace_id="", event=b"{}", client_context="", log_tail=False
)
MINUTE = 60.0


class Claims:
    """Grants everything at once, and counts what is held."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.granted = self.refused = 0
        self.seconds = 0.0
        self.refusal: ThrottledError | None = None
        self._numbers = itertools.count(1)

    def bind(self, holder: Holder) -> None:
        """Ask nobody for anything."""

    async def withdraw(self, demand: Demand) -> None:
        """It comes at once anyway."""

    async def claim(
        self, revision: RevisionKey, *, seconds: float, demand: Demand | None = None
    ) -> Lease:
        """Return an environment."""
        del seconds, demand
        await asyncio.sleep(self.seconds)
        if self.refusal is not None:
            self.refused += 1
            raise self.refusal
        number = next(self._numbers)
        self.granted += 1
        self.held.add(f"l{number}")
        return Lease(f"l{number}", revision, f"e{number}", "default/p", "127.0.0.1", 1, number)

    async def release(self, lease: Lease, reason: ReleaseReason) -> None:
        """Take it back."""
        del reason
        self.held.remove(lease.id)

    async def acknowledge(self, function: Key, revision: str) -> None:
        """Nobody asks."""


class Reader:
    """Reads no events."""

    @classmethod
    def start(cls, *_: Any) -> Reader:
        """Start nothing."""
        return cls()

    def finish(self) -> None:
        """Nothing is open."""

    def stop(self) -> int:
        """Nothing was read."""
        return 0


class Gateway:
    """A dispatcher whose environments answer after `seconds`."""

    def __init__(self) -> None:
        self.claims = Claims()
        self.seconds = 0.1
        self.dispatcher = Dispatcher(
            self.claims,
            b"key",
            None,  # type: ignore[arg-type]  # no reader writes to the sink
            ColdStarts(CollectorRegistry()),
            gateway="g",
        )

    async def __aenter__(self) -> Self:
        """Reap, in the test's own virtual time: a fixture has none."""
        self.reaping = asyncio.create_task(self.dispatcher.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reaping.cancel()
        await self.dispatcher.close()

    async def call(self, *, after: float = 0.0) -> bool:
        """Call once; gives whether an environment had to be claimed for it."""
        await asyncio.sleep(after)
        before = self.claims.granted
        await self.dispatcher.invoke(REVISION, INVOCATION)
        return self.claims.granted > before


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A gateway whose environments are fakes."""
    made = Gateway()

    async def answer(*_: Any, **__: Any) -> Answer:
        await asyncio.sleep(made.seconds)
        return Answer(body=b"1", length=1, function_error=None, log_tail=None, report=None)

    monkeypatch.setattr(agent_events, "EventReader", Reader)
    monkeypatch.setattr(Environment, "invoke", answer)
    return made


async def test_after_ten_idle_minutes_nothing_is_held(gateway: Gateway) -> None:
    """And the next call claims anew."""
    async with gateway:
        assert await gateway.call()
        assert not await gateway.call(after=9.5 * MINUTE)
        await asyncio.sleep(9.5 * MINUTE)
        assert len(gateway.claims.held) == 1
        await asyncio.sleep(MINUTE)
        assert not gateway.claims.held
        assert await gateway.call()


async def test_what_a_burst_started_goes_sooner(gateway: Gateway) -> None:
    """The function has others, so all but one go after five minutes."""
    async with gateway:
        await asyncio.gather(*(gateway.call() for _ in range(4)))
        assert len(gateway.claims.held) == 4
        await asyncio.sleep(5.5 * MINUTE)
        assert len(gateway.claims.held) == 1
        await asyncio.sleep(5 * MINUTE)
        assert not gateway.claims.held


async def test_what_runs_is_never_given_back(gateway: Gateway) -> None:
    """However long."""
    async with gateway:
        gateway.seconds = 15 * MINUTE
        call = asyncio.create_task(gateway.call())
        await asyncio.sleep(14 * MINUTE)
        assert len(gateway.claims.held) == 1
        assert await call


async def test_a_function_called_by_the_clock_is_fetched_before_its_call(gateway: Gateway) -> None:
    """Every half hour: nothing is held between, and no call waits once that is known."""
    async with gateway:
        cold = [await gateway.call(after=30 * MINUTE) for _ in range(13)]
        assert cold[:11] == [True] * 11
        assert cold[-1] is False
        await asyncio.sleep(15 * MINUTE)
        assert not gateway.claims.held
        await asyncio.sleep(13 * MINUTE)
        assert len(gateway.claims.held) == 1


async def test_an_expected_call_that_does_not_come_is_waited_for_once(gateway: Gateway) -> None:
    """Then nothing is held until somebody calls."""
    async with gateway:
        for _ in range(13):
            await gateway.call(after=30 * MINUTE)
        await asyncio.sleep(40 * MINUTE)
        assert not gateway.claims.held
        granted = gateway.claims.granted
        await asyncio.sleep(120 * MINUTE)
        assert gateway.claims.granted == granted


async def test_the_environment_that_is_missed_least_is_given_up(gateway: Gateway) -> None:
    """Of three that idle the one that answered fewest calls; then the next."""
    async with gateway:
        gateway.claims.seconds = 1.0
        await asyncio.gather(*(gateway.call() for _ in range(3)))
        for _ in range(4):
            await gateway.call()
        await asyncio.gather(gateway.call(), gateway.call())
        held = [lease.id for lease in gateway.dispatcher.held()]
        uses = {one.lease.id: one.uses for one in gateway.dispatcher.queues[REVISION].free}
        order = sorted(held, key=lambda lease: uses[lease])
        assert len(set(uses.values())) == len(held)
        assert [gateway.dispatcher.recall(held) for _ in held] == order
        assert gateway.dispatcher.recall(held) is None


async def test_what_is_between_two_calls_is_not_given_up_for_room(gateway: Gateway) -> None:
    """What idles three times as long as its function lately did is, a second to five."""
    async with gateway:
        for rest, too_soon, enough in ((0.2, 0.9, 1.1), (1.2, 3.5, 3.7), (20.0, 4.9, 5.1)):
            for _ in range(4):
                await gateway.call(after=rest)
            held = [lease.id for lease in gateway.dispatcher.held()]
            await asyncio.sleep(too_soon)
            assert gateway.dispatcher.recall(held, rested=True) is None, rest
            await asyncio.sleep(enough - too_soon)
            assert gateway.dispatcher.recall(held, rested=True) in held, rest


async def test_one_long_rest_is_soon_forgotten(gateway: Gateway) -> None:
    """A function that idled for the night and is called all the time since is no seldom one."""
    async with gateway:
        await gateway.call()
        await gateway.call(after=4.0)
        for _ in range(50):
            await gateway.call(after=0.1)
        held = [lease.id for lease in gateway.dispatcher.held()]
        await asyncio.sleep(1.1)
        assert gateway.dispatcher.recall(held, rested=True) in held


async def test_a_rollback_does_not_wait_for_what_ends_under_its_first_life(
    gateway: Gateway,
) -> None:
    """The same code is the same revision; what its first life held is given back all the same."""
    async with gateway:
        gateway.seconds = MINUTE
        slow = asyncio.create_task(gateway.call())
        await asyncio.sleep(1)
        gateway.dispatcher.retire(REVISION)
        gateway.seconds = 0.1
        assert await gateway.call()
        assert len(gateway.claims.held) == 2
        assert await slow
        await asyncio.sleep(0)
        assert len(gateway.claims.held) == 1


@pytest.mark.parametrize("moment", [-1e-10, 1e-10])
async def test_what_comes_as_a_caller_gives_up_is_kept(gateway: Gateway, moment: float) -> None:
    """In the same turn of the loop, before and after: neither lent to nobody for ever, nor lost."""
    environment = Environment.of(
        Lease("late", REVISION, "late", "default/p", "127.0.0.1", 1, 1), b"key", "g"
    )
    async with gateway:
        gateway.claims.seconds = 10 * MINUTE

        def come() -> None:
            gateway.claims.held.add("late")
            gateway.dispatcher.queues[REVISION].add(environment)

        asyncio.get_running_loop().call_later(module.START_SECONDS + moment, come)
        with pytest.raises(ThrottledError):
            await gateway.call()
        queue = gateway.dispatcher.queues[REVISION]
        assert (list(queue.free), queue.busy) == ([environment], 0)


async def test_without_room_for_more_calls_wait_for_what_is_there(gateway: Gateway) -> None:
    """As in a storm: nobody is refused for whom its function's environment is free in a moment."""
    async with gateway:
        await gateway.call()
        gateway.claims.refusal = ThrottledError("no room", reason="R", of_room=True)
        await asyncio.gather(*(gateway.call() for _ in range(5)))
        assert gateway.claims.refused == 4, "one for each who had to wait, and none anew"


async def test_what_is_not_free_in_a_moment_is_refused_then(gateway: Gateway) -> None:
    async with gateway:
        await gateway.call()
        gateway.claims.refusal = ThrottledError("no room", reason="R", of_room=True)
        gateway.seconds = 20.0
        long = asyncio.create_task(gateway.call())
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ThrottledError, match="no room"):
            await gateway.call()
        waited = asyncio.get_running_loop().time() - began
        assert waited == pytest.approx(PATIENCE_SECONDS, abs=0.01)
        await long


async def test_tenants_push_no_function_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be any number of them: what is remembered of each is bounded apart."""
    monkeypatch.setattr(idling, "MOST_FUNCTIONS", 3)
    known = idling.Idling(KeepAliveSpec(), RULES["hybrid"])
    function = known.of(REVISION)
    tenants = [known.of(REVISION._replace(tenant=str(number))) for number in range(9)]
    assert known.of(REVISION) is function
    assert known.of(REVISION._replace(tenant="8")) is tenants[8]
    assert known.of(REVISION._replace(tenant="0")) is not tenants[0]


async def test_a_revision_is_given_up_with_all_its_tenants(gateway: Gateway) -> None:
    """They are counted as its own, too, and nothing of them is kept."""
    async with gateway:
        for tenant in ("red", "blue"):
            await gateway.dispatcher.invoke(REVISION._replace(tenant=tenant), INVOCATION)
        assert gateway.dispatcher.environments(REVISION)["idle"] == 2
        gateway.dispatcher.retire(REVISION)
        await asyncio.sleep(1.0)
        assert not gateway.claims.held
        assert not gateway.dispatcher.queues
        assert not gateway.dispatcher._of_tenants
