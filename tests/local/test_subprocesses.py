"""Agents as subprocesses: what this process does with their descriptors."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path
from typing import cast

import pytest
import uvloop

from pilotlight_local.environments import Interpreter
from pilotlight_local.subprocesses import SubprocessCompute, _listening, _Process
from tests.support.containers import Bare


async def _read_port(announcement: int) -> int:
    process = cast("asyncio.subprocess.Process", None)  # it is asked only for one that ended
    return (await _listening("p", _Process(process, Path("/"), announcement))).port


async def _taken_over(announcement: int, path: Path) -> int:
    """Read a port, take the descriptor's number for a file at once, and see whether that lives."""
    port = await _read_port(announcement)
    with path.open("wb", buffering=0) as file:
        assert file.fileno() == announcement
        for _ in range(5):
            await asyncio.sleep(0)
            gc.collect()
        file.write(b"still open")
    return port


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_announcement_is_closed_once(tmp_path: Path, factory: object) -> None:
    """A file that another thread opens in its place is not closed with it."""
    announcement, stdout = os.pipe()
    os.write(stdout, b'{"type": "listening", "port": 8')
    os.write(stdout, b"700}\nmore\n")
    with asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]  # either loop's
        assert runner.run(_taken_over(announcement, tmp_path / "file")) == 8700
    assert (tmp_path / "file").read_bytes() == b"still open"
    os.close(stdout)


class Slow:
    """An agent's process that drains for a while."""

    stdin = None

    def __init__(self, seconds: float) -> None:
        self.killed = False
        self._ends = asyncio.get_running_loop().time() + seconds

    async def wait(self) -> int:
        """Return once it has drained, or was killed."""
        while not self.killed and asyncio.get_running_loop().time() < self._ends:  # noqa: ASYNC110  virtual
            await asyncio.sleep(0.5)
        return 0

    def send_signal(self, number: int) -> None:
        """Hear that it is to drain."""
        assert number == signal.SIGTERM

    def kill(self) -> None:
        """End."""
        self.killed = True


@pytest.mark.looptime
@pytest.mark.parametrize("hurry", [False, True])
async def test_what_a_pod_still_runs_may_end_unless_the_platform_does(
    tmp_path: Path, *, hurry: bool
) -> None:
    """An environment that ended takes its agent along, and its neighbours' calls are not broken."""
    python = Interpreter(Path("python"), "3")
    compute = SubprocessCompute(tmp_path, b"key", lambda _: python, Bare())
    slow = cast("asyncio.subprocess.Process", Slow(600))
    compute._running["p"] = _Process(slow, tmp_path / "p", 0)
    stopping = asyncio.create_task(compute.stop("p"))
    await asyncio.sleep(60)
    if hurry:
        compute.hurry()
    await stopping
    assert asyncio.get_running_loop().time() == pytest.approx(60 + 15 + 2 if hurry else 600, abs=1)
