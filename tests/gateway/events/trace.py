"""A whole platform under strace: what it read, synced and answered, in the order of the kernel.

`TracedPlatform` runs one; `synced_answers` says of each 202 in the trace whether the queue's log
was synced between the request and the answer. Needs strace 5.3 or later.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["TracedPlatform", "synced_answers"]

SERVING = "AWS endpoint "
STOP_SECONDS = 30.0
_LINE = re.compile(
    r"(?P<thread>\d+) +(?:<\.\.\. \w+ resumed>)?(?P<text>.*?)(?P<open> <unfinished.*)?"
)
_REQUEST = re.compile(r"read\(\d+<(?P<connection>TCP[^ ]*)>, \"POST /")
_ANSWER = re.compile(
    r"write\(\d+<(?P<connection>TCP[^ ]*)>, \"HTTP/1\.1 202 "
    r".*x-amzn-RequestId: (?P<id>[0-9a-f-]{36})"
)
_SYNC = re.compile(r"(?:fdatasync|fsync)\(\d+<[^>]*/events\.sqlite-wal>\) += 0")


class TracedPlatform:
    """A `pilotlight dev` that strace watches; `endpoint` is where it serves."""

    def __init__(self, folder: Path, state: Path, trace: Path) -> None:
        # -D: the platform is our child, so signals reach it and not strace.
        watch = ["strace", "-D", "-f", "--seccomp-bpf", "-yy", "-s", "128", "-o", str(trace)]
        calls = ["-e", "trace=read,write,fdatasync,fsync"]
        command = [sys.executable, "-m", "pilotlight_cli", "dev", str(folder), "--no-watch"]
        self._process = subprocess.Popen(
            [*watch, *calls, *command, "--state", str(state), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.endpoint = self._wait_until_it_serves()

    def stop(self) -> int:
        """Let it drain; gives its exit status once the trace is whole."""
        self._process.send_signal(signal.SIGTERM)
        try:
            # Standard output is strace's, too, and ends with it.
            self._process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        return self._process.returncode

    def _wait_until_it_serves(self) -> str:
        said = []
        for line in self._process.stdout or ():
            said.append(line)
            if line.startswith(SERVING):
                return line.removeprefix(SERVING).split()[0]
        raise RuntimeError("the platform never served:\n" + "".join(said))


@dataclass(frozen=True, slots=True)
class _SystemCall:
    """A call, and at which lines of the trace it began and returned."""

    text: str
    began: int
    returned: int


def synced_answers(trace: str) -> dict[str, bool]:
    """Return the request ids of all 202s: whether a sync lay between request and answer.

    The sync must have begun after the request was read: an earlier one cannot hold its event.
    """
    requests: dict[str, int] = {}
    answers: dict[str, bool] = {}
    last_sync = -1
    for call in sorted(_system_calls(trace), key=_when_it_counts):
        if _SYNC.match(call.text):
            last_sync = max(last_sync, call.began)
        elif request := _REQUEST.match(call.text):
            requests[request["connection"]] = call.returned
        elif answer := _ANSWER.match(call.text):
            answers[answer["id"]] = last_sync > requests[answer["connection"]]
    return answers


def _when_it_counts(call: _SystemCall) -> int:
    """Return the line from which on others may see it: an answer's bytes are out once it began."""
    return call.began if call.text.startswith("write(") else call.returned


def _system_calls(trace: str) -> Iterator[_SystemCall]:
    """Join what strace prints in two lines where calls of threads overlap."""
    begun: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(trace.splitlines()):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        text, began = begun.pop(found["thread"], ("", number))
        text += found["text"]
        if found["open"]:
            begun[found["thread"]] = text, began
        else:
            yield _SystemCall(text, began, number)
