"""Whoever started a pod waits until its agent says that it is ready."""

from __future__ import annotations

from pilotlight.agent.health import wait_until_ready
from tests.support.answering import answer, answering


async def test_an_agent_is_asked_until_it_is_ready() -> None:
    async with answering(answer(503, b"{}"), b"", answer(200, b"ok\n")) as agent:
        await wait_until_ready("127.0.0.1", agent.port)
    assert [request.split()[:2] for request in agent.requests] == [[b"GET", b"/ready"]] * 3
