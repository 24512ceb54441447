"""An answer on its way while it is written: who reads slowly, and who goes away."""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from pilotlight_agent.processes import tree
from tests.support.agent import TOKEN, Agent, is_running, specialised
from tests.support.streaming import BOOTSTRAP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE = "x" * 65_536
TIMES = 400
"""Pieces that are far more than all buffers on the way hold."""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """An agent whose function writes what its event says, within a second."""
    files = {"bootstrap": BOOTSTRAP}
    with specialised(tmp_path, files, runtime="provided.al2023", timeout=1) as agent:
        agent.journal.wait_for_state("idle")
        yield agent


def begin(agent: Agent, event: object) -> socket.socket:
    """Ask for an answer as it is written; nothing is read yet."""
    body = json.dumps(event).encode()
    connection = socket.create_connection(("127.0.0.1", agent.port), timeout=20)
    connection.sendall(
        f"POST /v1/invoke HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Pilotlight-Environment: {agent.environment}\r\nPilotlight-Lease: {agent.lease}\r\n"
        "Pilotlight-Request-Id: r\r\nPilotlight-Stream: 1\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the end of the trailers."""
    came = b""
    while not came.endswith(b"Pilotlight-Free: now\r\n\r\n"):
        piece = connection.recv(1 << 20)
        assert piece, came[-200:]
        came += piece
    return came


def test_whoever_reads_nothing_holds_the_function_up(agent: Agent) -> None:
    """Until its time is over; the same function ends well for who reads."""
    with begin(agent, {"pieces": [PIECE], "times": TIMES}) as connection:
        agent.journal.wait(lambda event: "timed out" in event.get("line", ""))
        came = read_all(connection)
    assert len(came) < len(PIECE) * TIMES / 2
    trailers = came.rpartition(b"\r\n0\r\n")[2].decode()
    assert "Pilotlight-Function-Error: Unhandled" in trailers
    assert '"status":"timeout"' in trailers
    agent.journal.wait_for_state("idle", 2)
    with begin(agent, {"pieces": [PIECE], "times": TIMES}) as connection:
        came = read_all(connection)
    assert came.count(b"x") > len(PIECE) * TIMES
    assert "Unhandled" not in came[-1000:].decode()


def test_a_gateway_that_goes_away_ends_nothing(agent: Agent) -> None:
    """The function writes into the void, and the environment is free again."""
    begin(agent, {"pieces": [PIECE], "times": TIMES}).close()
    agent.journal.wait(lambda event: "REPORT" in event.get("line", ""))
    report = next(e["line"] for e in agent.journal.events if "REPORT" in e.get("line", ""))
    assert "Status:" not in report
    assert agent.invoke({"pieces": ["a"]}).body == b"a"


def test_what_was_written_before_the_end_is_read_first(tmp_path: Path) -> None:
    """Also where the agent finds a connection, what came by it, and the exit all at one moment."""
    mine = "    with socket.create_connection((host, int(port))) as mine:"
    waits = '    while not os.path.exists(event["gate"]):\n        time.sleep(0.005)\n'
    assert mine in BOOTSTRAP
    files, gate = {"bootstrap": BOOTSTRAP.replace(mine, waits + mine)}, tmp_path / "gate"
    with specialised(tmp_path, files, runtime="provided.al2023", timeout=20) as agent:
        agent.journal.wait_for_state("idle")
        (runtime,) = tree.children(agent.process.pid)
        with begin(agent, {"pieces": ["a"], "exit": True, "gate": str(gate)}) as connection:
            agent.journal.wait(lambda event: "START" in event.get("line", ""))
            agent.process.send_signal(signal.SIGSTOP)
            gate.touch()
            assert not is_running(runtime)
            agent.process.send_signal(signal.SIGCONT)
            came = read_all(connection)
    assert b"\r\n1\r\na\r\n" in came
    assert b"Pilotlight-Function-Error: Unhandled" in came
