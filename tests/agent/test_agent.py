"""The agent's own end: what it leaves to the process and to the terminal it was started from."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.agent import Agent

LIFE = """
import asyncio, signal, sys
from pilotlight_agent import agent, options

async def live():
    await agent.serve(options.read(sys.argv[1:]), None)
    numbers = (signal.SIGCHLD, signal.SIGTERM)
    print(*(signal.getsignal(number) is signal.SIG_DFL for number in numbers), file=sys.stderr)

asyncio.run(live())
"""


def test_no_signal_finds_a_closed_pipe() -> None:
    """The handlers go before the loop does, so that a child's end prints nothing."""
    ran = subprocess.run(
        [sys.executable, "-c", LIFE, "--listen", "127.0.0.1:0", "--token-sha256", "0" * 64,
         "--parent-stdin"],
        input=b"", capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, b"True True\n")


def test_a_socket_beside_the_port_serves_the_same(tmp_path: Path) -> None:
    """Local mode speaks with its agents there."""
    path = str(tmp_path / "agent.sock")
    with Agent(tmp_path, "--socket", path) as agent, socket.socket(socket.AF_UNIX) as connection:
        assert _announced(agent) == path
        connection.connect(path)
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("name", ["missing/agent.sock", "x" * 200])
def test_where_no_socket_can_be_the_port_serves(tmp_path: Path, name: str) -> None:
    """A path may be too long, and a folder another system's."""
    with Agent(tmp_path, "--socket", str(tmp_path / name)) as agent:
        assert _announced(agent) is None
        assert agent.port


def _announced(agent: Agent) -> object:
    return agent.journal.wait(lambda event: event["type"] == "listening").get("socket")
