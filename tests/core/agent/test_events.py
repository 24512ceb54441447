"""Events come in batches, however the bytes are cut."""

from __future__ import annotations

import json

import pytest

from pilotlight.agent.events import read_events
from pilotlight.errors import ConnectionLostError
from tests.support.answering import answer, answering

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(*events: dict[str, str]) -> bytes:
    """Word events as one chunk."""
    body = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return b"%x\r\n%b\r\n" % (len(body), body)


async def test_events_come_in_batches_until_the_agent_ends() -> None:
    first, second = {"type": "state"}, {"type": "log", "line": "\r\n0\r\n\r\n"}
    async with answering(HEAD + chunk(first, second) + chunk(first) + b"0\r\n\r\n") as agent:
        told = [batch async for batch in read_events("127.0.0.1", agent.port, "token", "e")]
    assert told == [[first, second], [first]]
    assert agent.requests[0].startswith(b"GET /v1/events?after=0&environment=e HTTP/1.1\r\n")
    assert b"Authorization: Bearer token\r\n" in agent.requests[0]


@pytest.mark.parametrize("end", [b"", b"5\r\nab", b"\r\n"])
async def test_an_agent_that_goes_away_is_told(end: bytes) -> None:
    async with answering(HEAD + chunk({"type": "state"}) + end) as agent:
        batches = read_events("127.0.0.1", agent.port, "token", "e")
        assert await anext(batches) == [{"type": "state"}]
        with pytest.raises((ConnectionLostError, ValueError)):
            await anext(batches)


async def test_a_refusal_is_told() -> None:
    async with answering(answer(401, b"{}")) as agent:
        with pytest.raises(ConnectionLostError, match="401"):
            await anext(read_events("127.0.0.1", agent.port, "token", "e"))
