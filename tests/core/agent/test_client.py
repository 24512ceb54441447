"""What the autoscaler asks of an agent, and how its refusals are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pilotlight.agent.client import Agents
from pilotlight.compute import Pod
from pilotlight.errors import StartFailedError
from pilotlight_wire.protocol import Error
from pilotlight_wire.specialisation import (
    CodeSource,
    EnvironmentState,
    FunctionFacts,
    Specialisation,
    Specialised,
)
from tests.support.answering import Asked, answer, answering

SPECIALISATION = Specialisation(
    revision="r",
    function=FunctionFacts(name="f", arn="arn:f", runtime="python3.13"),
    code=CodeSource(sha256="a" * 64, url="http://localhost/a"),
)
AGENTS = Agents(b"key")
STARTING = EnvironmentState(id="e", state="starting")
READY = EnvironmentState(id="e", state="idle", initialised=True)


def said(document: dict[str, Any]) -> bytes:
    """Word an answer."""
    return answer(200, json.dumps(document).encode())


def status(environment: EnvironmentState, *, revision: str = "r", draining: bool = False) -> bytes:
    """Word the status of a pod."""
    return said(
        {
            "state": "any",
            "draining": draining,
            "revision": revision,
            "environments": [environment.to_json()],
        }
    )


def pod(agent: Asked) -> Pod:
    """Return the pod of an agent."""
    return Pod("default/p", "127.0.0.1", agent.port)


async def test_a_pod_is_specialised_with_an_address_that_it_need_not_look_up() -> None:
    specialised = Specialised(environments=[STARTING], processors=2)
    async with answering(said(specialised.to_json())) as agent:
        told = await AGENTS.specialise(pod(agent), SPECIALISATION, seconds=5)
    assert told == specialised
    sent = Specialisation.parse(agent.requests[0].partition(b"\r\n\r\n")[2])
    assert sent.function == SPECIALISATION.function
    assert sent.code
    assert sent.code.url in {"http://127.0.0.1:80/a", "http://[::1]:80/a"}


async def test_one_more_environment() -> None:
    async with answering(said(Specialised(environments=[STARTING]).to_json())) as agent:
        assert await AGENTS.fork(pod(agent), seconds=5) == STARTING
    assert agent.requests[0].startswith(b"POST /v1/environments ")
    assert agent.requests[0].endswith(b'{"count": 1}')


async def test_a_refusal_is_told_with_its_reason() -> None:
    error = Error.CODE_MISMATCH
    refused = answer(error.status, json.dumps(error.document("another hash")).encode())
    async with answering(refused) as agent:
        with pytest.raises(StartFailedError, match="another hash") as raised:
            await AGENTS.specialise(pod(agent), SPECIALISATION, seconds=5)
    assert raised.value.reason == "CodeMismatch"


@pytest.mark.parametrize("given", [b"", answer(200, b"{}"), answer(200, b"no JSON")])
async def test_an_agent_that_is_none_has_failed(given: bytes) -> None:
    async with answering(given) as agent:
        with pytest.raises(StartFailedError, match=r"the agent of pod default/p"):
            await AGENTS.fork(pod(agent), seconds=5)


async def test_nobody_waits_longer_than_said() -> None:
    async with answering(b"HTTP/1.1") as agent:
        with pytest.raises(StartFailedError, match=r"did not answer"):
            await AGENTS.fork(pod(agent), seconds=0.05)
        await AGENTS.settle(pod(agent), seconds=0.05)  # which is no failure


@pytest.mark.parametrize(
    ("given", "generic"),
    [
        (status(STARTING, revision=""), True),
        (status(STARTING), False),
        (status(STARTING, revision="", draining=True), False),
        (answer(401, b""), False),
    ],
)
async def test_whether_a_pod_is_generic(given: bytes, generic: bool) -> None:  # noqa: FBT001  a row
    async with answering(given) as agent:
        state = await AGENTS.state(pod(agent), seconds=5)
    assert (state is not None and state.is_generic) == generic


async def test_an_environment_is_waited_for() -> None:
    async with answering(status(STARTING), status(READY)) as agent:
        await AGENTS.wait_until_initialised(pod(agent), "e", seconds=5)
    async with answering(status(READY)) as agent:
        with pytest.raises(StartFailedError, match="it is ended"):
            await AGENTS.wait_until_initialised(pod(agent), "another", seconds=5)
