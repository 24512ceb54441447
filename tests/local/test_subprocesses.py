"""Agents as subprocesses: what this process does with their descriptors."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import cast

import pytest
import uvloop

from pilotlight_local.subprocesses import _listening_port, _Process


async def _read_port(announcement: int) -> int:
    process = cast("asyncio.subprocess.Process", None)  # it is asked only for one that ended
    return await _listening_port(_Process(process, Path("/"), announcement))


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
