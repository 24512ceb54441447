"""The connection to an agent that has just died."""

from __future__ import annotations

import asyncio
import socket
from unittest.mock import Mock

import pytest

from pilotlight.agent.connection import AgentConnection, Request, connect


async def test_a_closed_connection_is_known_before_the_loop_has_looked() -> None:
    """No call is sent into it, which would look as if the call had ended the agent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = await connect(*listener.getsockname())
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
