"""A local platform with a function that notes each of its runs in a file outside the platform.

What a client was told can then be held against what ran (`asynchronous`, `backlog`). Beside it is
one that does nothing.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.dev_process import DevProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORD, NOOP = "record", "noop"
LINE = len("3110349e-3601-411a-b22c-3352b775da99 1795000000.123456\n")
QUIET_SECONDS = 1.0
NOOP_SOURCE = "def handler(event, context):\n    return event\n"
RECORD_SOURCE = """
import os, time
runs = os.open({file!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def handler(event, context):
    os.write(runs, f"{{context.aws_request_id}} {{time.time():017.6f}}\\n".encode())
"""


class Runs:
    """The runs of the function, in the order in which they began."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.touch()

    def count(self) -> int:
        """Say how many there were."""
        return self.file.stat().st_size // LINE

    def after(self, first: int) -> dict[str, float]:
        """Return when ids first ran, on the clock of `time.time`, leaving out so many runs."""
        with self.file.open("rb") as file:
            file.seek(first * LINE)
            lines = [line.split() for line in file.read().decode().splitlines()]
        return {request_id: float(moment) for request_id, moment in reversed(lines)}

    def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until there were so many; says whether it came to that."""
        deadline = time.monotonic() + seconds
        while not (reached := self.count() >= count) and time.monotonic() < deadline:
            time.sleep(0.05)
        return reached

    def wait_until_quiet(self) -> int:
        """Wait until none has begun for a second; gives how many there were."""
        count = -1
        while count != (count := self.count()):
            time.sleep(QUIET_SECONDS)
        return count


def invocations(endpoint: str, function: str) -> str:
    """Return the URL that a function is invoked at."""
    return f"{endpoint}/2015-03-31/functions/{function}/invocations"


@contextmanager
def recording_platform(folder: Path) -> Iterator[tuple[DevProcess, Runs]]:
    """Run a platform in a folder; its state is in `folder/state`."""
    runs = Runs(folder / "runs")
    _write_function(folder, RECORD, RECORD_SOURCE.format(file=str(runs.file)))
    _write_function(folder, NOOP, NOOP_SOURCE)
    manifests = folder / "functions"
    with DevProcess(manifests, "--no-watch", state=folder / "state") as platform:
        yield platform, runs


def _write_function(folder: Path, name: str, source: str) -> None:
    place = folder / "functions" / name
    place.mkdir(parents=True)
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {
            "runtime": "python3.13",
            "handler": "index.handler",
            "timeout": 30,
            "code": {"inline": source},
        },
    }
    (place / "function.yaml").write_text(json.dumps(manifest))
