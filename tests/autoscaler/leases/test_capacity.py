"""The lease table: limits are exact, nothing is left behind, and a new leader learns."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from pilotlight import function_credentials
from pilotlight.errors import PodLostError, RevisionGoneError, StartFailedError, ThrottledError
from pilotlight.resources import Function, Key
from pilotlight.tickets import ticket_for
from pilotlight_wire.specialisation import CodeSource
from tests.autoscaler.conftest import OTHER, REVISION

if TYPE_CHECKING:
    from pilotlight_autoscaler.leases.capacity import Capacity
    from tests.autoscaler.conftest import Stage


async def claim(capacity: Capacity, gateway: str = "g1") -> str:
    lease = await capacity.claim(REVISION, gateway=gateway, seconds=5)
    return lease.id


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_limit_is_exact_under_concurrent_claims(stage: Stage) -> None:
    capacity = stage.capacity(limit=3)
    stage.compute.gate.clear()
    claims = [asyncio.create_task(claim(capacity)) for _ in range(5)]
    await settled()
    stage.compute.gate.set()
    answers = await asyncio.gather(*claims, return_exceptions=True)
    throttled = [answer for answer in answers if isinstance(answer, ThrottledError)]
    assert [error.reason for error in throttled] == ["ConcurrentInvocationLimitExceeded"] * 2
    assert len(stage.compute.pods) == 3


async def test_who_is_refused_is_told_of(stage: Stage) -> None:
    """For Kubernetes Events: the revision, and the error that its caller reads."""
    capacity = stage.capacity(limit=0)
    with pytest.raises(ThrottledError) as refused:
        await claim(capacity)
    assert stage.refused == [(REVISION, refused.value)]


async def test_a_released_environment_makes_room(stage: Stage) -> None:
    capacity = stage.capacity(limit=1)
    first = await claim(capacity)
    with pytest.raises(ThrottledError):
        await claim(capacity)
    await capacity.release(first, "idle")
    await claim(capacity)
    await settled()
    assert len(stage.compute.pods) == 1


async def test_releasing_twice_counts_once(stage: Stage) -> None:
    capacity = stage.capacity(limit=1)
    first = await claim(capacity)
    await capacity.release(first, "idle")
    await capacity.release(first, "idle")
    await claim(capacity)
    with pytest.raises(ThrottledError):
        await claim(capacity)


@pytest.mark.parametrize("what", ["pod", "specialisation"])
async def test_a_failed_start_leaves_nothing(stage: Stage, what: str) -> None:
    capacity = stage.capacity(limit=1)
    failing = stage.compute if what == "pod" else stage.agents
    failing.failing = True
    with pytest.raises(StartFailedError):
        await claim(capacity)
    await settled()
    assert not stage.compute.pods
    failing.failing = False
    await claim(capacity)


@pytest.mark.parametrize("what", ["pod", "specialisation"])
async def test_a_start_whose_pod_was_lost_is_tried_in_another(stage: Stage, what: str) -> None:
    """Once: a function whose pods all go must not have them made for ever."""
    capacity = stage.capacity(limit=1)
    losing = stage.compute if what == "pod" else stage.agents
    losing.lose_next = 1
    await claim(capacity)
    await settled()
    assert (stage.compute.started, len(stage.compute.pods)) == (2, 1)
    losing.lose_next = 2
    with pytest.raises(PodLostError):
        await claim(stage.capacity(limit=1))


async def test_a_cancelled_claim_leaves_nothing(stage: Stage) -> None:
    capacity = stage.capacity(limit=1)
    stage.compute.gate.clear()
    task = asyncio.create_task(claim(capacity))
    await settled()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    stage.compute.gate.set()
    await claim(capacity)
    assert len(stage.compute.pods) == 1


async def test_another_revision_is_refused(stage: Stage) -> None:
    capacity = stage.capacity()
    with pytest.raises(RevisionGoneError, match="serves revision 1111"):
        await capacity.claim(REVISION._replace(revision="2" * 16), gateway="g", seconds=5)
    await stage.resources.delete(Function, Key("default", "f"))
    with pytest.raises(RevisionGoneError, match="is gone"):
        await claim(capacity)


async def test_what_no_agent_would_take_fails_with_its_reason(stage: Stage) -> None:
    """At once, and not as a claim that nobody answers."""
    capacity = stage.capacity()
    stage.autoscaler.revisions.environment["CUT"] = "a\0b"
    with pytest.raises(StartFailedError, match="NUL") as failed:
        await claim(capacity)
    assert failed.value.reason == "InvalidRequest"


async def test_health_sees_work_that_ended(stage: Stage) -> None:
    """Nothing that keeps pools and provisioned environments ends by itself."""
    stage.capacity()
    autoscaler = stage.autoscaler
    autoscaler.start()
    await settled()
    assert autoscaler.is_working()
    autoscaler._tasks[0].cancel()
    await settled()
    assert not autoscaler.is_working()
    await autoscaler.close()


async def test_a_lost_pod_makes_room(stage: Stage) -> None:
    capacity = stage.capacity(limit=1)
    await claim(capacity)
    await stage.compute.lose(next(iter(stage.compute.pods)))
    await claim(capacity)


async def test_a_new_leader_learns_and_its_epochs_are_higher(stage: Stage) -> None:
    old = stage.capacity(limit=2, generation=1)
    held = [await old.claim(REVISION, gateway="g1", seconds=5) for _ in range(2)]
    new = stage.capacity(limit=2, generation=2)
    await new.succession.learn("g1", held)
    with pytest.raises(ThrottledError):
        await claim(new)
    await new.release(held[0].id, "idle")
    granted = await new.claim(REVISION, gateway="g1", seconds=5)
    assert granted.epoch > max(lease.epoch for lease in held)


async def test_what_a_gateway_does_not_know_of_is_taken_back(stage: Stage) -> None:
    capacity = stage.capacity()
    kept = await capacity.claim(REVISION, gateway="g1", seconds=5)
    lost = await capacity.claim(REVISION, gateway="g1", seconds=5)
    await capacity.succession.learn("g1", [kept])
    await settled()
    assert capacity.leases_of("g1") == [kept]
    assert lost.pod not in stage.compute.pods


async def test_orphans_are_stopped(stage: Stage) -> None:
    old = stage.capacity(generation=1)
    held = [await old.claim(REVISION, gateway="g1", seconds=5) for _ in range(2)]
    new = stage.capacity(generation=2)
    await new.succession.learn("g1", held[:1])
    await new.succession.stop_orphans()
    await settled()
    assert stage.compute.pods == {held[0].pod}


async def test_a_start_keeps_its_turn_while_its_environment_initialises(stage: Stage) -> None:
    """A function's first is granted meanwhile; its further ones are so gentle as to wait."""
    capacity = stage.capacity()
    stage.agents.settling.clear()
    await claim(capacity)
    further = asyncio.create_task(claim(capacity))
    await settled()
    assert not further.done()
    await capacity.claim(OTHER, gateway="g1", seconds=5)
    assert not further.done()
    stage.agents.settling.set()
    await further


async def test_a_pod_that_is_being_prepared_is_no_orphan(stage: Stage) -> None:
    """Nobody holds a lease of it yet; one whose claim goes away meanwhile is stopped."""
    capacity = stage.capacity()
    stage.agents.gate.clear()
    claims = [asyncio.create_task(claim(capacity)) for _ in range(4)]
    await settled()
    assert len(stage.compute.pods) == 4
    await capacity.succession.stop_orphans()
    await settled()
    assert len(stage.compute.pods) == 4
    claims[0].cancel()  # it is being specialised
    claims[3].cancel()  # it waits for its turn on the node
    await settled()
    stage.agents.gate.set()
    await asyncio.gather(*claims, return_exceptions=True)
    await settled()
    assert len(stage.compute.pods) == 2
    await capacity.succession.stop_orphans()
    await settled()
    assert len(stage.compute.pods) == 2


async def test_the_specialisation_says_what_the_function_is(stage: Stage) -> None:
    placement = await stage.revisions().place(REVISION)
    facts = placement.specialisation.function
    assert facts.arn == "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert placement.specialisation.environment == {
        "AWS_ENDPOINT_URL": "http://aws", "COLOUR": "green",
    }  # fmt: skip
    assert placement.specialisation.code
    assert placement.specialisation.code.url == f"http://g/{'a' * 64}"
    token = placement.specialisation.credentials["AWS_SESSION_TOKEN"]
    issued = function_credentials.read(b"key", token)
    assert issued.variables() == placement.specialisation.credentials
    assert (issued.identity.account, issued.identity.function) == ("000000000000", "f")


async def test_agents_fetch_what_was_compiled_of_a_package(stage: Stage) -> None:
    """With a ticket for it; until then, and for another Python, the package itself."""
    stage.artifacts.held = {"a" * 64: b"package", "c" * 64: b"compiled"}
    await stage.artifacts.note_compiled("a" * 64, sys.implementation.cache_tag or "", "c" * 64)
    revisions = stage.revisions()
    compiling = asyncio.create_task(revisions.packages.run())
    code = (await revisions.place(REVISION)).specialisation.code
    assert code
    assert code.sha256 == "a" * 64
    await settled()
    code = (await revisions.place(REVISION)).specialisation.code
    assert code == CodeSource(
        sha256="c" * 64, url=f"http://g/{'c' * 64}", ticket=ticket_for(b"key", "c" * 64)
    )
    compiling.cancel()


@pytest.mark.looptime
@pytest.mark.parametrize("runs", [True, False])
async def test_what_ended_counts_for_as_long_as_something_runs_in_it(
    stage: Stage,
    runs: bool,  # noqa: FBT001  a row
) -> None:
    """Its agent knows: a call that outlasts its gateway counts, a fork bomb's remains do not."""
    capacity = stage.capacity(limit=1)
    lease = await capacity.claim(REVISION, gateway="g", seconds=10)
    if not runs:
        stage.agents.idle[lease.pod] = "g"
    stage.compute.stopping.clear()
    await capacity.release(lease.id, "ended")
    await asyncio.sleep(1)
    assert capacity.taken(stage.caps.key_of(REVISION)) == runs
    fenced = stage.agents.fenced.get(lease.pod, 0) > lease.epoch
    assert fenced != runs, "what comes late is refused"
    stage.compute.stopping.set()
    await asyncio.sleep(1)
    assert capacity.taken(stage.caps.key_of(REVISION)) == 0
