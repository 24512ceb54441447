"""What is in /tmp is counted as the disk counts it, and watched while an invocation runs."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from pilotlight_agent.processes import storage
from pilotlight_agent.processes.storage import StorageWatch, holds_more

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1_048_576


def _write(path: Path, megabytes: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(os.urandom(megabytes * MEGABYTE))


def test_files_of_all_folders_count_once(tmp_path: Path) -> None:
    _write(tmp_path / "below/file", 1)
    _write(tmp_path / "file", 1)
    os.link(tmp_path / "file", tmp_path / "same")
    (tmp_path / "elsewhere").symlink_to("/usr")
    (tmp_path / "circle").symlink_to(tmp_path)
    assert holds_more(tmp_path, 2 * MEGABYTE - 1)
    assert not holds_more(tmp_path, 2 * MEGABYTE + MEGABYTE // 2)


def test_holes_take_no_room_and_what_is_hidden_none_that_is_seen(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(100 * MEGABYTE)
    assert not holds_more(tmp_path, MEGABYTE)
    assert not holds_more(tmp_path / "not there", 0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_FIRST_SECONDS", 0.001)
    monkeypatch.setattr(storage, "_LEAST_REST", 0.001)


@pytest.mark.usefixtures("quick")
async def test_it_looks_again_until_there_is_too_much(tmp_path: Path) -> None:
    full = asyncio.Event()
    watch = StorageWatch(tmp_path, 1, full.set)
    watch.start(asyncio.get_running_loop().time())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await full.wait()
    _write(tmp_path / "file", 2)
    async with asyncio.timeout(5):
        await full.wait()


@pytest.mark.usefixtures("quick")
async def test_it_tells_nothing_between_invocations(tmp_path: Path) -> None:
    """Those that are short, too, find what earlier ones wrote."""
    _write(tmp_path / "file", 2)
    full = asyncio.Event()
    watch = StorageWatch(tmp_path, 1, full.set)
    now = asyncio.get_running_loop().time
    watch.start(now())
    watch.stop()
    await asyncio.sleep(0.05)
    assert not full.is_set()
    async with asyncio.timeout(5):
        while not full.is_set():
            watch.start(now())
            await asyncio.sleep(0.002)
            watch.stop()
