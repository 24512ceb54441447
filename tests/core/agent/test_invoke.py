"""An invocation over the wire: what is asked, what comes back, and what may be tried elsewhere."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.agent.connection import AgentConnection, connect
from pilotlight.agent.invoke import Answer, Invocation, Permit, invoke
from pilotlight.errors import AgentFailedError, ConnectionLostError, NotStartedError
from pilotlight_wire.protocol import Error, Header, State
from pilotlight_wire.report import Report
from tests.support.answering import answer, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

INVOCATION = Invocation("r", "arn:f", "Root=1", b'{"a":1}')
PERMIT = Permit("token", "e", "gateway-1/7", 123)


async def ask(given: bytes, invocation: Invocation = INVOCATION) -> tuple[Answer, bytes]:
    """Invoke once; gives the answer and what the agent was asked."""
    async with answering(given) as agent:
        connection = await connect("127.0.0.1", agent.port)
        try:
            return await invoke(connection, invocation, PERMIT), agent.requests[0]
        finally:
            connection.close()


REPORTS = st.builds(
    Report,
    st.floats(0, 1e6).map(lambda number: round(number, 2)),
    *[st.integers(0, 1 << 40)] * 3,
    st.none() | st.floats(0, 1e6).map(lambda number: round(number, 2)),
    st.sampled_from(["success", "error", "timeout"]),
)


@given(
    report=REPORTS,
    content_type=st.text(st.characters(min_codepoint=32, max_codepoint=255)).map(str.strip),
    state=st.sampled_from(list(State)),
)
async def test_a_usual_head_means_the_same_in_one_step(
    report: Report, content_type: str, state: State
) -> None:
    """As one with a line more, which is read field by field."""
    usual = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{Header.REPORT}: {report.encode()}\r\n"
        f"{Header.ENVIRONMENT_STATE}: {state}\r\n{Header.FREE}: now\r\nContent-Length: 2\r\n\r\n"
    )
    other = usual.replace(f"{Header.FREE}", f"X-Other: 1\r\n{Header.FREE}")
    answers = [_hear(head.encode("latin-1") + b"{}") for head in (usual, other)]
    first, second = [await one for one in answers]
    assert first == second
    assert (first.report, first.body) == (report, b"{}")
    assert first.environment_ended == (state is State.ENDED)


async def _hear(data: bytes) -> Answer:
    """Read an answer from a connection to nobody."""
    connection = AgentConnection("127.0.0.1:1")
    loop = asyncio.get_running_loop()
    connection.connection_made(Nobody(lambda: loop.call_soon(connection.data_received, data)))
    answer = await invoke(connection, INVOCATION, PERMIT)
    answer.release = _nothing
    return answer


def _nothing() -> None:
    """Let go of nothing."""


class Nobody(asyncio.Transport):
    """Takes what is sent and answers it."""

    def __init__(self, answer: Callable[[], object]) -> None:
        super().__init__({"socket": 0})
        self._answer = answer

    def writelines(self, _: Iterable[bytes | bytearray | memoryview]) -> None:
        """Answer a request."""
        self._answer()


async def test_everything_is_said_once() -> None:
    context = Invocation("r", "arn:f", "Root=1", b"{}", client_context="e30=", log_tail=True)
    _, request = await ask(answer(200, b""), context)
    head, _, body = request.decode().partition("\r\n\r\n")
    line, _, *fields = head.split("\r\n")  # the second is the host
    assert (line, body) == ("POST /v1/invoke HTTP/1.1", "{}")
    assert fields == [
        "Authorization: Bearer token",
        "Pilotlight-Environment: e",
        "Pilotlight-Lease: gateway-1/7",
        "Pilotlight-Function-Arn: arn:f",
        "Content-Type: application/json",
        "Pilotlight-Deadline-Ms: 123",
        "Pilotlight-Request-Id: r",
        "Pilotlight-Trace-Id: Root=1",
        "Pilotlight-Client-Context: e30=",
        "Pilotlight-Log-Tail: 1",
        "Content-Length: 2",
    ]


async def test_headers_of_the_answer() -> None:
    report = Report(1.5, 2, 128, 31, 80.0, "timeout")
    headers = (
        f"Pilotlight-Function-Error: Unhandled\r\nPilotlight-Report: {report.encode()}\r\n"
        "Pilotlight-Log-Tail: bGluZQ==\r\nPilotlight-Environment-State: ended\r\n"
    )
    given, _ = await ask(answer(200, b"7", headers.encode()))
    assert given == Answer(
        b"7",
        1,
        function_error="Unhandled",
        log_tail="bGluZQ==",
        report=report,
        environment_ended=True,
    )
    plain, _ = await ask(answer(200, b"", b"Pilotlight-Environment-State: idle\r\n"))
    assert plain == Answer(b"", 0)


@pytest.mark.parametrize("error", Error, ids=lambda error: error.code)
async def test_only_what_has_not_begun_may_go_elsewhere(error: Error) -> None:
    """Which the agent says, and a 409 by itself; any other answer may have run the function."""
    elsewhere = error.retryable or error.status == 409
    expected = NotStartedError if elsewhere else AgentFailedError
    with pytest.raises(expected, match=f"{error.code}: why"):
        await ask(answer(error.status, json.dumps(error.document("why")).encode()))


@pytest.mark.parametrize("status", [400, 404, 413, 500, 502, 503])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"retryable": "yes"}'])
async def test_what_does_not_say_so_may_have_begun(status: int, body: bytes) -> None:
    """Whoever answered."""
    with pytest.raises(AgentFailedError, match=str(status)):
        await ask(answer(status, body))


async def test_a_409_says_it_by_itself() -> None:
    with pytest.raises(NotStartedError):
        await ask(answer(409, b""))


async def test_an_agent_that_goes_away_may_have_begun() -> None:
    for said in (b"", b"HTTP/1.1 200 OK\r\n", answer(200, b"12")[:-1]):
        with pytest.raises(ConnectionLostError):
            await ask(said)
