"""Claims over the wire: the gateway's client and the leader's server, through changes of leader."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import aiohttp
import pytest

from pilotlight.claims import Demand, Lease
from pilotlight.claims_protocol import Claim, Hello, Refused, from_gateway
from pilotlight.compute import Crowd
from pilotlight.errors import StartFailedError, ThrottledError, WithdrawnError
from pilotlight.resources import Key
from pilotlight_autoscaler.claims import server as claims_server
from pilotlight_autoscaler.claims.acknowledgements import Acknowledgements
from pilotlight_autoscaler.claims.server import ClaimsServer
from pilotlight_autoscaler.leases.table import NOBODY
from pilotlight_gateway.invocation import claims_client
from pilotlight_gateway.invocation.claims_client import ClaimsClient
from tests.autoscaler.conftest import OTHER, REVISION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pilotlight.claims_protocol import Granted
    from pilotlight.errors import PilotlightError
    from pilotlight_autoscaler.leases.capacity import Capacity
    from tests.autoscaler.conftest import Stage

KEY = b"platform key"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_server, "COLLECT_SECONDS", 0.05)
    monkeypatch.setattr(claims_server, "ORPHAN_SECONDS", 0.05)
    monkeypatch.setattr(claims_client, "RECONNECT_SECONDS", 0.02)


class Leader:
    """A claims server that may go and come back."""

    def __init__(self) -> None:
        self.address: str | None = None
        self.acknowledgements = Acknowledgements()
        self._server: ClaimsServer | None = None
        self.capacity: Capacity

    @property
    def connected(self) -> bool:
        return self._server is not None and bool(self._server._connected)

    async def start(self, capacity: Capacity) -> None:
        self.capacity = capacity
        caps = capacity._limits._caps
        caps.synced.set()
        self._server = ClaimsServer(capacity, caps, self.acknowledgements, KEY)
        self.address = f"127.0.0.1:{await self._server.start('127.0.0.1', 0)}"

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
        self._server = self.address = None

    async def find(self) -> str | None:
        return self.address


@dataclass
class FakeHolder:
    """A gateway's table: everything that it holds idles."""

    leases: list[Lease]
    rested: list[bool] = field(default_factory=list)
    """What each question was about."""

    def held(self) -> list[Lease]:
        return self.leases

    def recall(self, leases: list[str], *, rested: bool = False) -> str | None:
        self.rested.append(rested)
        for lease in self.leases:
            if lease.id in leases:
                self.leases.remove(lease)
                return lease.id
        return None

    def shed(self, leases: list[str], count: int) -> int:
        return min(count, len([lease for lease in self.leases if lease.id in leases]))


@pytest.fixture
async def leader() -> AsyncIterator[Leader]:
    """A leader that is stopped in the end."""
    made = Leader()
    yield made
    await made.stop()


@pytest.fixture
async def client(leader: Leader) -> AsyncIterator[ClaimsClient]:
    """A gateway's client that remembers what it holds."""
    made = ClaimsClient(leader.find, KEY, "g1")
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def eventually(holds: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  the other side is a real socket
            await asyncio.sleep(0.01)


async def test_a_claim_waits_for_a_leader(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    claim = asyncio.create_task(client.claim(REVISION, seconds=10))
    await asyncio.sleep(0)
    await leader.start(stage.capacity())
    lease = await claim
    assert lease.revision == REVISION
    assert lease.pod in stage.compute.pods


async def test_what_is_granted_as_its_caller_leaves_goes_back(
    stage: Stage, leader: Leader, client: ClaimsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same turn of the loop; with a cap of one the next claim would be refused else."""
    await leader.start(stage.capacity(limit=1))
    claim = asyncio.create_task(client.claim(REVISION, seconds=10))
    answered = client._answered

    async def leaving(message: Granted | Refused) -> None:
        await answered(message)
        claim.cancel()

    monkeypatch.setattr(ClaimsClient, "_answered", lambda _, message: leaving(message))
    with pytest.raises(asyncio.CancelledError):
        await claim
    assert await client.claim(REVISION, seconds=10)


async def test_errors_come_back_as_they_were(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    await leader.start(stage.capacity(limit=0))
    with pytest.raises(ThrottledError) as refused:
        await client.claim(REVISION, seconds=10)
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize(
    "error",
    [
        ThrottledError("full", reason="R", retry_after=7),
        ThrottledError("no room", reason="R", of_room=True),
        StartFailedError("broken", reason="R"),
    ],
)
def test_a_refusal_says_all_that_its_error_did(error: PilotlightError) -> None:
    sent = claims_server._refusal(1, error).model_dump_json()
    came = claims_client._error(Refused.model_validate_json(sent))
    assert (type(came), str(came), vars(came)) == (type(error), str(error), vars(error))


async def test_a_new_leader_counts_what_is_held(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    held: list[Lease] = []
    client.bind(FakeHolder(held))
    await leader.start(stage.capacity(limit=1, generation=1))
    held.append(await client.claim(REVISION, seconds=10))
    await leader.stop()
    await eventually(lambda: not client.connected)
    await leader.start(stage.capacity(limit=1, generation=2))
    with pytest.raises(ThrottledError):
        await client.claim(REVISION, seconds=10)
    assert len(stage.compute.pods) == 1


async def test_a_claim_survives_its_leader(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    stage.compute.gate.clear()
    await leader.start(stage.capacity(generation=1))
    claim = asyncio.create_task(client.claim(REVISION, seconds=10))
    await eventually(lambda: stage.compute.started == 1)
    await leader.stop()
    stage.compute.gate.set()
    await leader.start(stage.capacity(generation=2))
    assert (await claim).epoch >> 32 == 2


async def test_acknowledgements_are_told_again(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    function = Key("default", "f")
    await client.acknowledge(function, "r1")
    await leader.start(stage.capacity())
    await eventually(lambda: "g1" in leader.acknowledgements.gateways)
    assert await leader.acknowledgements.wait(function, "r1", seconds=5)
    assert not await leader.acknowledgements.wait(function, "r2", seconds=0.05)
    await client.acknowledge(function, "r2")
    assert await leader.acknowledgements.wait(function, "r2", seconds=5)


async def test_a_stranger_is_refused(stage: Stage, leader: Leader) -> None:
    await leader.start(stage.capacity())
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await session.ws_connect(f"http://{leader.address}/v1/claims")


async def test_an_idle_environment_goes_from_one_gateway_to_another(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    held: list[Lease] = []
    client.bind(FakeHolder(held))
    capacity = stage.capacity(limit=1)
    await leader.start(capacity)
    held.append(await client.claim(REVISION, seconds=10))
    granted = await capacity.claim(REVISION, gateway="g2", seconds=10)
    assert held == []
    assert len(stage.compute.pods) == 1
    assert granted.epoch > 1
    with pytest.raises(ThrottledError):
        await client.claim(REVISION, seconds=10)  # g2 does not answer: it may run something


async def test_what_is_given_back_too_late_is_to_be_had(
    stage: Stage, leader: Leader, client: ClaimsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that was paused answers when it goes on; nobody holds that environment then."""
    held: list[Lease] = []
    client.bind(FakeHolder(held))
    capacity = stage.capacity(limit=1)
    await leader.start(capacity)
    held.append(await client.claim(REVISION, seconds=10))
    monkeypatch.setattr(claims_server, "ASK_SECONDS", 0.0)
    with pytest.raises(ThrottledError):
        await capacity.claim(REVISION, gateway="g2", seconds=10)
    await eventually(lambda: bool(capacity.leases_of(NOBODY)))
    assert (await capacity.claim(REVISION, gateway="g2", seconds=10)).pod in stage.compute.pods
    assert stage.compute.started == 1


async def test_a_leader_that_goes_silent_is_left(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    """A node that is gone sends no FIN: the heartbeat finds out, and the client goes on."""
    await leader.start(stage.capacity(generation=1))
    await eventually(lambda: client.connected)
    assert client._socket is not None
    client._socket._handle_ping_pong_exception(TimeoutError("no pong"))
    await eventually(lambda: not client.connected)
    await eventually(lambda: client.connected)
    assert (await client.claim(REVISION, seconds=10)).revision == REVISION


async def test_what_was_begun_for_a_gateway_that_went_serves_the_next(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    """It has run nothing; where nobody comes it is stopped, as what an ended gateway leaves."""
    stage.compute.gate.clear()
    await leader.start(stage.capacity(limit=1))
    gone = ClaimsClient(leader.find, KEY, "gone")
    running = asyncio.create_task(gone.run())
    claim = asyncio.create_task(gone.claim(REVISION, seconds=10))
    await eventually(lambda: stage.compute.started == 1)
    for task in (claim, running):
        task.cancel()
    await asyncio.gather(claim, running, return_exceptions=True)
    await eventually(lambda: "gone" not in leader.acknowledgements.gateways)
    stage.compute.gate.set()
    await eventually(lambda: bool(leader.capacity._table.pods()))
    assert (await client.claim(REVISION, seconds=10)).pod in stage.compute.pods
    assert stage.compute.started == 1


async def crowd(client: ClaimsClient, count: int) -> list[tuple[asyncio.Task[Lease], Demand]]:
    """Claim so many environments of which nobody gets one yet."""
    demands = [Demand() for _ in range(count)]
    return [
        (asyncio.create_task(client.claim(REVISION, seconds=20, demand=demand)), demand)
        for demand in demands
    ]


async def test_a_claim_that_is_withdrawn_makes_no_pod(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    """Only the pods that were begun come; the rest leave, and nothing counts for them."""
    stage.compute.gate.clear()
    await leader.start(stage.capacity())
    claims = await crowd(client, 30)
    await eventually(lambda: leader.capacity.taken(stage.caps.key_of(REVISION)) == 30)
    begun = stage.compute.started
    for _, demand in claims:
        await client.withdraw(demand)
    await eventually(lambda: leader.capacity.taken(stage.caps.key_of(REVISION)) == begun)
    stage.compute.gate.set()
    results = await asyncio.gather(*(claim for claim, _ in claims), return_exceptions=True)
    assert stage.compute.started == begun
    assert sum(isinstance(one, WithdrawnError) for one in results) == 30 - begun


async def test_a_leader_of_the_release_before_is_told_nothing_new(
    stage: Stage, leader: Leader, client: ClaimsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end the connection over a message that it does not know; the claim comes late."""
    monkeypatch.setattr(claims_server, "WITHDRAWS", "something.else")
    stage.compute.gate.clear()
    await leader.start(stage.capacity())
    ((claim, demand),) = await crowd(client, 1)
    await eventually(lambda: stage.compute.started == 1)
    sent: list[object] = []
    monkeypatch.setattr(ClaimsClient, "_send", lambda _, message: sent.append(message))
    await client.withdraw(demand)
    assert sent == []
    stage.compute.gate.set()
    assert (await claim).revision == REVISION


async def test_claims_of_a_gateway_that_went_make_no_pods(stage: Stage, leader: Leader) -> None:
    """Those that wait for their turn leave with its connection."""
    stage.compute.gate.clear()
    await leader.start(stage.capacity())
    gone = ClaimsClient(leader.find, KEY, "gone")
    running = asyncio.create_task(gone.run())
    claims = await crowd(gone, 30)
    await eventually(lambda: leader.capacity.taken(stage.caps.key_of(REVISION)) == 30)
    begun = stage.compute.started
    running.cancel()
    await eventually(lambda: leader.capacity.taken(stage.caps.key_of(REVISION)) == begun)
    for claim, _ in claims:
        claim.cancel()


async def test_a_claim_withdrawn_while_nobody_leads_is_not_sent(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    """It ends at once; the next leader hears of those alone that are waited for."""
    ((claim, demand),) = await crowd(client, 1)
    await asyncio.sleep(0)
    await client.withdraw(demand)
    with pytest.raises(WithdrawnError):
        await claim
    await leader.start(stage.capacity())
    await client.claim(REVISION, seconds=10)
    assert stage.compute.started == 1


async def test_room_is_asked_for_in_other_words_than_an_environment(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    """A node's room is made of what rests alone; who claims the same revision gets what idles."""
    holder = FakeHolder([])
    client.bind(holder)
    await leader.start(stage.capacity(limit=2))
    holder.leases += [await client.claim(REVISION, seconds=10) for _ in range(2)]
    assert await leader.capacity.make_space(Crowd("default"))
    assert holder.rested == [True]
    await leader.capacity.claim(REVISION, gateway="g2", seconds=10)
    await leader.capacity.claim(REVISION, gateway="g2", seconds=10)
    assert holder.rested == [True, False]


async def test_two_leaders_grant_no_environment_twice(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    """One that was paused for longer than its Lease and does not know: nobody asks it any more."""
    held: list[Lease] = []
    client.bind(FakeHolder(held))
    await leader.start(stage.capacity(limit=1, generation=1))
    held.append(await client.claim(REVISION, seconds=10))
    paused = leader.capacity
    successor = Leader()
    await successor.start(stage.capacity(limit=1, generation=2))
    leader.address = successor.address
    assert client._socket is not None
    await client._socket.close()
    await eventually(lambda: "g1" in successor.acknowledgements.gateways)
    recalled = await successor.capacity.claim(REVISION, gateway="g2", seconds=10)
    stale = paused.leases_of("g1")[0]
    assert recalled.environment == stale.environment
    assert recalled.epoch > stale.epoch  # and the agent refuses the older one
    with pytest.raises(ThrottledError):
        await paused.claim(REVISION, gateway="g3", seconds=10)
    await successor.stop()


def test_a_message_of_no_tenant_is_as_the_version_before_knows_it() -> None:
    """Three parts; who reads knows both forms, and a tenant arrives with its lease."""
    lease = Lease("l", REVISION, "e", "default/p", "10.0.0.1", 1, 7)
    said = json.loads(Hello(gateway="g", leases=[lease], known=[]).model_dump_json())
    assert said["leases"][0]["revision"] == list(REVISION[:3])
    for revision in (REVISION, REVISION._replace(tenant="red")):
        hello = Hello(gateway="g", leases=[replace(lease, revision=revision)], known=[])
        assert from_gateway.validate_json(hello.model_dump_json()) == hello
        claim = Claim(id=1, revision=revision, seconds=1.0)
        assert from_gateway.validate_json(claim.model_dump_json()) == claim


async def test_a_tenant_is_claimed_for_and_only_where_there_are_tenants(
    stage: Stage, leader: Leader, client: ClaimsClient
) -> None:
    """The lease says whose it is; a gateway that knows of no tenants is refused, not served."""
    await stage.isolate_tenants()
    await leader.start(stage.capacity())
    lease = await client.claim(REVISION._replace(tenant="red"), seconds=10)
    assert lease.revision.tenant == "red"
    assert stage.agents.specialised[-1].function.tenant_id == "red"
    with pytest.raises(StartFailedError, match="a tenant is expected"):
        await client.claim(REVISION, seconds=10)
    with pytest.raises(StartFailedError, match="no tenant is expected"):
        await client.claim(OTHER._replace(tenant="red"), seconds=10)
