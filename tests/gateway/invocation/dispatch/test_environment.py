"""An environment whose agent refuses, fails or goes away: what may be tried in another one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from pilotlight.claims import Demand, Lease, RevisionKey
from pilotlight.errors import AgentFailedError
from pilotlight_gateway.invocation.cold_starts import ColdStarts
from pilotlight_gateway.invocation.dispatch import agent_events
from pilotlight_gateway.invocation.dispatch.dispatcher import Dispatcher
from pilotlight_gateway.invocation.dispatch.log_sink import LogSink
from pilotlight_gateway.invocation.invocation import Invocation
from pilotlight_wire.protocol import Error
from tests.support.answering import answer, answering
from tests.support.gateway import MemoryLogs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.claims import Holder, ReleaseReason
    from pilotlight.resources import Key

REVISION = RevisionKey("default", "f", "0" * 16)
INVOCATION = Invocation("r", "arn", "Root=1", b"{}")


class Claims:
    """Grants environments of one agent, and notes what is given back."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.granted = 0
        self.released: list[ReleaseReason] = []

    def bind(self, holder: Holder) -> None:
        """Ask nobody for anything."""

    async def acknowledge(self, function: Key, revision: str) -> None:
        """Nobody asks."""

    async def withdraw(self, demand: Demand) -> None:
        """It comes at once anyway."""

    async def claim(
        self, revision: RevisionKey, *, seconds: float, demand: Demand | None = None
    ) -> Lease:
        """Grant one more."""
        del seconds, demand
        self.granted += 1
        name = f"e{self.granted}"
        return Lease(name, revision, name, "default/p", "127.0.0.1", self.port, 1)

    async def release(self, lease: Lease, reason: ReleaseReason) -> None:
        """Note it."""
        del lease
        self.released.append(reason)


@pytest.fixture(autouse=True)
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no reader of events take an answer that is meant for an invocation."""

    async def nothing(*_: object) -> AsyncIterator[list[object]]:
        await asyncio.Event().wait()
        yield []

    monkeypatch.setattr(agent_events, "read_events", nothing)


def dispatcher(claims: Claims) -> Dispatcher:
    """Make one that claims here."""
    return Dispatcher(
        claims,
        b"key",
        LogSink(MemoryLogs()),
        ColdStarts(CollectorRegistry()),
        gateway="g",
        most_claims=1,
    )


async def test_what_an_agent_refused_is_tried_in_another_environment() -> None:
    refused = answer(409, json.dumps(Error.STALE_LEASE.document("old")).encode())
    async with answering(refused, answer(200, b"done")) as agent:
        claims = Claims(agent.port)
        dispatch = dispatcher(claims)
        answered = await dispatch.invoke(REVISION, INVOCATION)
        await dispatch.close()
    assert answered.body == b"done"
    assert claims.granted == 2
    assert claims.released[0] == "ended"


@pytest.mark.parametrize("error", [Error.INVALID_REQUEST, Error.INVOCATION_ENDED])
async def test_what_may_have_begun_is_tried_nowhere_else(error: Error) -> None:
    """The caller learns which pod failed, and its environment is given back."""
    failed = answer(error.status, json.dumps(error.document("why")).encode())
    async with answering(failed, answer(200, b"twice")) as agent:
        claims = Claims(agent.port)
        dispatch = dispatcher(claims)
        with pytest.raises(AgentFailedError, match=rf"pod default/p: .*{error.code}"):
            await dispatch.invoke(REVISION, INVOCATION)
        await dispatch.close()
    assert len(agent.requests) == 1
    assert claims.released == ["ended"]
