"""Ports for servers that tests start and that cannot say which one they took."""

from __future__ import annotations

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


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now, by chance: other runs look, too."""
    while True:
        port = secrets.choice(_PORTS)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
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
