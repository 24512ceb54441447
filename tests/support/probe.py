"""Counts from outside what functions run at once: each run holds a connection while it lasts.

Who is killed lets go of his connection, who is stopped or cut off holds it: so this counts what
runs, whatever the platform believes. A run ends only once its end was seen here: a packet that came
late would else make two of what ran one after the other.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Self

__all__ = ["PROBED", "Probe"]

LOOK_SECONDS = 0.2
LINE_BYTES = 300
PROBED = """
import os, socket, time

PLACE = os.environ["PROBE"].split(":")

def handler(event, context):
    with socket.create_connection((PLACE[0], int(PLACE[1])), 5) as probe:
        probe.sendall(f"{context.function_name} {context.aws_request_id}\\n".encode())
        probe.recv(1)
        try:
            time.sleep(event.get("seconds", 0.01))
            if event.get("fail"):
                raise ValueError(event["number"])
            return event["number"]
        finally:
            probe.shutdown(socket.SHUT_WR)
            probe.recv(1)  # until its end was seen
"""
"""A function that tells the probe of PROBE, `HOST:PORT`, that it runs."""


class Probe:
    """Listens on an address of this machine while the block lasts."""

    def __init__(self, host: str) -> None:
        self.most: Counter[str] = Counter()
        """How many ran at once, by function."""
        self.peaks: dict[str, str] = {}
        """When that was, and who ran, by function."""
        self.runs: Counter[str] = Counter()
        """How often each request was begun, by its id."""
        self._running: dict[str, dict[socket.socket, str]] = {}
        """Who runs, by function and connection."""
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((host, 0), backlog=1024)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def place(self) -> str:
        """Where it listens, as `HOST:PORT`."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        """Begin."""
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no longer."""
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # sockets, all of them
        self._selector.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            ready = [key for key, _ in self._selector.select(LOOK_SECONDS)]
            # Ends first: who began after another had ended was never beside it.
            for key in sorted(ready, key=_turn):
                if key.fileobj is self._listener:
                    self._selector.register(self._listener.accept()[0], selectors.EVENT_READ, "")
                else:
                    self._read(key)

    def _read(self, key: selectors.SelectorKey) -> None:
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        line = b""
        with suppress(ConnectionError):
            line = connection.recv(LINE_BYTES)
        if line:
            function, request_id = line.decode().split()
            self._selector.modify(connection, selectors.EVENT_READ, function)
            self._began(function, request_id, connection)
            with suppress(ConnectionError):
                connection.sendall(b"!")
        else:
            self._running.get(key.data, {}).pop(connection, None)
            self._selector.unregister(connection)
            connection.close()

    def _began(self, function: str, request_id: str, connection: socket.socket) -> None:
        self.runs[request_id] += 1
        running = self._running.setdefault(function, {})
        began = time.strftime("%X")
        running[connection] = f"{request_id} on {_address(connection)} since {began}"
        if len(running) > self.most[function]:
            self.most[function] = len(running)
            self.peaks[function] = f"{began}: {', '.join(running.values())}"


def _address(connection: socket.socket) -> str:
    try:
        return str(connection.getpeername()[0])
    except OSError:  # who was killed a moment ago has none
        return "nobody"


def _turn(key: selectors.SelectorKey) -> int:
    """Say when it is its turn: who may end, who begins, who comes."""
    return 2 if key.data is None else int(key.data == "")
