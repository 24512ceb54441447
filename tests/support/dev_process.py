"""A `pilotlight dev` as a process of its own: for the demo, for tests and for benchmarks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from tests.support.forks import ForkedProcess, Forks

__all__ = ["DevProcess"]

START_SECONDS = 30.0
STOP_SECONDS = 30.0
SERVING = "AWS endpoint "


class DevProcess:
    """Runs from its making to its `stop`; `endpoint` is where it serves.

    With `forks` it is one of those, and has their variables. Raises RuntimeError with all that it
    printed where it does not come to serve.
    """

    def __init__(
        self,
        *arguments: str | Path,
        state: Path,
        port: int = 0,
        variables: Mapping[str, str] | None = None,
        forks: Forks | None = None,
    ) -> None:
        words = ["dev", *map(str, arguments), "--state", str(state), "--port", str(port)]
        self._process: subprocess.Popen[str] | ForkedProcess
        self._process = forks.start(words) if forks else _started(words, variables or {})
        self.lines: list[str] = []
        self._told = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.endpoint = self.wait_for(SERVING).removeprefix(SERVING).split()[0]
        except RuntimeError:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def wait_for(self, text: str, *, after: int = 0, seconds: float = START_SECONDS) -> str:
        """Return the first line, of those after some, that holds a text; raises RuntimeError."""

        def found() -> str | None:
            return next((line for line in self.lines[after:] if text in line), None)

        with self._told:
            self._told.wait_for(lambda: found() or self._ended, seconds)
            line = found()
        if line is None:
            raise RuntimeError(f"pilotlight dev never said {text!r}:\n" + "\n".join(self.lines))
        return line

    def stop(self) -> int:
        """Let it drain and give its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._end(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._end(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self.stop()

    def _end(self, seconds: float) -> int:
        status = self._process.wait(seconds)
        self._reader.join(seconds)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._told:
                self.lines.append(line.rstrip("\n"))
                self._told.notify_all()
        with self._told:
            self._ended = True
            self._told.notify_all()


def _started(words: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pilotlight_cli", *words],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
