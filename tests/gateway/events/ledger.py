"""A ledger outside the platform: what clients were told, and what the function saw.

The function writes each run's request id into a file of the test's; `Load` keeps the ids of events
that were answered with 202. Both survive whatever happens to the platform.
"""

from __future__ import annotations

import http.client
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Load", "function_source", "runs"]

ACCEPTED = 202
PATH = "/2015-03-31/functions/ledger/invocations"


def function_source(file: Path) -> str:
    """Return the code of a function that notes each run, in one write."""
    return (
        "import os\n"
        f"ledger = os.open({str(file)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
        "def handler(event, context):\n"
        "    os.write(ledger, (context.aws_request_id + '\\n').encode())\n"
    )


def runs(file: Path) -> list[str]:
    """Return the request ids of all runs."""
    return file.read_text().splitlines() if file.exists() else []


class Load:
    """Clients that send events, one after another, until they are stopped or nobody answers."""

    def __init__(self, endpoint: str, clients: int = 4) -> None:
        self.accepted: set[str] = set()
        self.progress = threading.Condition()
        self._address = urlsplit(endpoint).netloc
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send_events) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int, seconds: float = 30.0) -> None:
        """Wait until so many events were accepted."""
        with self.progress:
            assert self.progress.wait_for(lambda: len(self.accepted) >= count, seconds)

    def stop(self) -> set[str]:
        """Let clients end; gives the ids of events that were accepted."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return self.accepted

    def _send_events(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        headers = {"X-Amz-Invocation-Type": "Event"}
        while not self._stopped.is_set():
            try:
                connection.request("POST", PATH, b"{}", headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                break
            if answer.status == ACCEPTED:
                self._note(answer.getheader("x-amzn-RequestId", ""))
        connection.close()

    def _note(self, request_id: str) -> None:
        with self.progress:
            self.accepted.add(request_id)
            self.progress.notify_all()
