"""What was answered with 202 is on the disk, whatever the disk does.

The process under test is watched, and its disk is made to fail, by strace.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import UnavailableError
from tests.support.events import event, sqlite_queue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pilotlight_gateway.event_queue.interface import EventQueue

SYNCED = re.compile(r"(?:fdatasync|fsync)(?:\(.*\)| resumed>\)) += 0")
ANSWERED = re.compile(r'write\(1, "202')


def enqueue(path: Path, *strace: str, count: int = 40, size: int = 100) -> list[list[str]]:
    """Enqueue in another process; gives the answers in their order."""
    if shutil.which("strace") is None:
        raise FileNotFoundError("no strace here: apt-get install strace")
    module = [sys.executable, "-m", "tests.support.enqueuer", str(path), str(count), str(size)]
    done = subprocess.run(
        ["strace", "-f", *strace, *module], capture_output=True, check=True, timeout=60, text=True
    )
    return [line.split() for line in done.stdout.splitlines()]


async def kept(path: Path) -> set[str]:
    """Return the ids that a new process finds."""
    async with sqlite_queue(path) as queue:
        leases = await queue.lease(10_000, 1e9, room=lambda _: 10_000)
    return {lease.event.id for lease in leases}


def accepted(answers: list[list[str]]) -> set[str]:
    return {event_id for status, event_id in answers if status == "202"}


def test_a_sync_has_returned_before_each_answer(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    watch = ("-e", "trace=fdatasync,fsync,write", "-o", str(trace))
    answers = enqueue(tmp_path / "events.sqlite", *watch, count=10)
    assert len(accepted(answers)) == 10
    synced, unsynced = False, 0
    for line in trace.read_text().splitlines():
        synced = synced or bool(SYNCED.search(line))
        if ANSWERED.search(line):
            unsynced += not synced
            synced = False
    assert unsynced == 0


@pytest.mark.parametrize(
    "fault",
    [
        "inject=fdatasync,fsync:error=EIO:when=12..16",
        "inject=pwrite64:error=ENOSPC:when=30..45",
        "inject=pwrite64:error=EIO:when=30..45",
    ],
)
async def test_a_failing_disk_makes_no_false_promise(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "events.sqlite"
    enqueue(path, "-o", os.devnull, count=1)  # tables are made, in so many writes
    answers = enqueue(path, "-o", os.devnull, "-e", fault)
    statuses = [status for status, _ in answers]
    assert "503" in statuses
    assert statuses[0] == statuses[-1] == "202"  # before, and again without a hand
    assert accepted(answers) <= await kept(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


async def fill(queue: EventQueue, told: list[str]) -> None:
    """Enqueue until the disk is full; `told` are those that were accepted."""
    while True:
        await queue.enqueue(event(f"{len(told)}", payload=bytes(10_000)))
        told.append(f"{len(told)}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk; ENOSPC is injected above")
async def test_a_full_disk_refuses_and_recovers(small_disk: Path) -> None:
    path, filler = small_disk / "events.sqlite", small_disk / "filler"
    filler.write_bytes(bytes(300_000))
    told: list[str] = []
    async with sqlite_queue(path) as queue:
        with pytest.raises(UnavailableError):
            await fill(queue, told)
        filler.unlink()
        await queue.enqueue(event("after"))
        counts = await queue.counts()
    assert counts.conserved
    assert {*told, "after"} <= await kept(path)
