"""The connection to an agent that has just died."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from pilotlight.agent.connection import AgentConnection, Request, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tcp(_folder: Path) -> tuple[socket.socket, str, int]:
    """Listen as a pod does; returns where, too."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, *listener.getsockname()


def path(folder: Path) -> tuple[socket.socket, str, int]:
    """Listen as an agent of local mode does."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "agent.sock"))
    listener.listen()
    return listener, listener.getsockname(), 1


@pytest.mark.parametrize("listen", [tcp, path])
async def test_a_closed_connection_is_known_before_the_loop_has_looked(
    tmp_path: Path, listen: Callable[[Path], tuple[socket.socket, str, int]]
) -> None:
    """No call is sent into it, which would look as if the call had ended the agent."""
    listener, host, port = listen(tmp_path)
    with listener:
        connection = await connect(host, port)
        agent, _ = listener.accept()
        assert connection.open
        agent.close()
        assert not connection.open
    connection.close()


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_no_empty_piece_is_written(body: bytes) -> None:
    """It would keep the loop of Python 3.12 and later busy for as long as the connection lives."""
    connection, transport = AgentConnection("agent:1"), Mock()
    connection._transport = transport
    asking = asyncio.create_task(connection.exchange(Request("GET", "/v1/settled", body=body)))
    await asyncio.sleep(0)
    (pieces,) = transport.writelines.call_args.args
    assert all(pieces)
    assert b"".join(pieces).endswith(b"\r\n\r\n" + body)
    asking.cancel()
