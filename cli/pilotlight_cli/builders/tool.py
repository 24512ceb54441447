"""Runs the tools that build: their log is shown as it comes, their failure says what to do.

A tool and what it starts end with the command that wanted them, however that ends.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from ..failures import Failure
from ..output import note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Command = Sequence[str | Path]

__all__ = ["AS_IT_IS", "Advice", "Tools"]

AS_IT_IS = '--no-build (in manifests, pilotlight.dev/build: "false") takes the folder as it is'

LAST_LINES = 12
"""How much of its log a failed tool is told with."""
KEPT_LINES = 1000
"""How much of it advice is looked for in: npm says what was wrong, and then its whole usage."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Advice(NamedTuple):
    """What to do about a failure whose log has a pattern."""

    pattern: str
    text: str


class Tools:
    """The tools of this machine."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def look_for(self, name: str) -> str | None:
        """Return a tool's path, on the PATH or beside the platform's own Python."""
        return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))

    def find(self, name: str, wanted_by: Path, how: str) -> str:
        """Return a tool's path; raises Failure that says how to get it."""
        found = self.look_for(name)
        if found is None:
            raise Failure(f"{wanted_by} wants {name}, which is not on the PATH: {how}; {AS_IT_IS}")
        return found

    def run(
        self,
        command: Command,
        folder: Path,
        *,
        advice: Sequence[Advice] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Run a tool in a folder and show its log.

        Raises Failure with the log's last lines and the first advice that fits them.
        """
        self._run(command, folder, advice, variables or {}, subprocess.PIPE)

    def ask(self, command: Command, folder: Path, *, advice: Sequence[Advice] = ()) -> str:
        """Run a tool like `run`; what it writes to its standard output is the answer."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            self._run(command, folder, advice, {}, output.fileno())
            output.seek(0)
            return output.read()

    def stop(self) -> None:
        """End what runs, and let nothing begin any more."""
        self._stopped = True
        for process in [*self._running]:
            _kill(process)

    def _run(
        self,
        command: Command,
        folder: Path,
        advice: Sequence[Advice],
        variables: Mapping[str, str],
        output: int,
    ) -> None:
        begun: list[subprocess.Popen[str]] = []
        try:
            # Signals interrupt the main thread alone: what the other one began is known.
            with ThreadPoolExecutor(1) as starter:
                starter.submit(int).result()  # it is there, and is waited for, before a tool begins
                starter.submit(self._begin, begun, command, folder, variables, output).result()
            (process,) = begun
            log = _follow(process.stdout or process.stderr)
            status = process.wait()
        finally:
            for each in begun:
                self._running.discard(each)
                _kill(each)
                _close(each)
        if status != 0:
            raise _failure(command, status, log, advice)

    def _begin(
        self,
        begun: list[subprocess.Popen[str]],
        command: Command,
        folder: Path,
        variables: Mapping[str, str],
        output: int,
    ) -> None:
        if self._stopped:
            raise Failure("the build was stopped")
        process = subprocess.Popen(  # noqa: S603  a tool of the person's own
            command,
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output == subprocess.PIPE else subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # so that all it starts can be ended with it
        )
        begun.append(process)
        self._running.add(process)
        if self._stopped:  # while it began
            _kill(process)


def _follow(log: IO[str] | None) -> list[str]:
    """Show a tool's lines as they come; give what is kept of them."""
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    for line in log or ():
        text = _COLOURS.sub("", line.rstrip())
        if text:
            note(f"  {text}")
            kept.append(text)
    return [*kept]


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:  # on Windows
                process.kill()
        process.wait()


def _close(process: subprocess.Popen[str]) -> None:
    """Let go of what only its own thread reads."""
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _failure(
    command: Command, status: int, log: Sequence[str], advice: Sequence[Advice]
) -> Failure:
    said = "\n".join(log)
    last = [f"  {line}" for line in log[-LAST_LINES:]] or ["  (it said nothing)"]
    fitting = [one.text for one in advice if re.search(one.pattern, said, re.IGNORECASE)]
    head = f"{Path(command[0]).name} failed with status {status}:"
    return Failure("\n".join([head, *last, *fitting[:1]]))
