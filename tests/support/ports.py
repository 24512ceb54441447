"""Ports for servers that tests start and that cannot say which one they took."""

from __future__ import annotations

import os
import secrets
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

__all__ = ["free_port", "wait_for_port"]

START_SECONDS = 60.0
_PORTS = range(20_000, 30_000)
"""Below those that the kernel gives to outgoing connections, of which one may else take the port
before its server does."""
_PROCESSES = 4
"""Of the suite, each of which has ports of its own."""
_given: set[int] = set()
"""Ports whose servers may not listen yet: some want several."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now, by chance: other runs look, too."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = _PORTS[worker % _PROCESSES :: _PROCESSES]
    while True:
        port = secrets.choice(own)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            if len(_given) > len(own) // 2:
                _given.clear()
            if port not in _given:
                _given.add(port)
                return port


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens; raises TimeoutError if it ends before, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"{process.args!r} does not listen on {port}")
