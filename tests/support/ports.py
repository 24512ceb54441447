"""Ports for servers that tests start and that cannot say which one they took."""

from __future__ import annotations

import itertools
import os
import random
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
_NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
_own = itertools.cycle(random.SystemRandom().sample(_PORTS[_NUMBER::_PROCESSES], k=2500))
"""By chance, for other runs look, too; none comes again before all have."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now, and that nobody was given of late."""
    for port in _own:
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle ends")


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
