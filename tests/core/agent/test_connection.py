"""The connection to an agent that has just died."""

from __future__ import annotations

import socket

from pilotlight.agent.connection import connect


async def test_a_closed_connection_is_known_before_the_loop_has_looked() -> None:
    """No call is sent into it, which would look as if the call had ended the agent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = await connect(*listener.getsockname())
        agent, _ = listener.accept()
        assert connection.open
        agent.close()
        assert not connection.open
    connection.close()
