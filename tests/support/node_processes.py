"""Processes of a pod, seen from the node that runs it: this machine, for the one-node cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEATH_SECONDS = 10.0
EVERY = 100
LOSSES = "pilotlight_losses"
"""The table of the rules that lose packets."""
SLOW_LINE = ("tbf", "rate", "400kbit", "burst", "2kb", "limit", "64kb")
"""Thirty milliseconds for a full packet, and more than a second where many wait."""
LITTLE = "1000000"
"""Bytes a file may have where a disk is full: most tables fit, no segment of a log does."""


def processes(pod_uid: str, program: str = "python") -> list[int]:
    """Return the ids of a pod's processes by age, but for that which holds its namespaces open."""
    there = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in there if _is_of(pid, pod_uid, program)]


def kill_together(pod_uid: str) -> int:
    """Kill agent and children as cgroup v2 does when a container's memory is full; gives how many.

    The kernel signals all of them before any of them runs again, so that nobody can report. It ends
    when all have ended: a pod that has used up its share of a processor takes a while to die, and a
    call sent to it meanwhile ends with it.
    """
    victims = processes(pod_uid)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    deadline = time.monotonic() + DEATH_SECONDS
    while alive := [pid for pid in victims if not _has_ended(pid)]:
        assert time.monotonic() < deadline, f"killed, and still there: {alive}"
        time.sleep(0.01)
    return len(victims)


def component(name: str) -> int:
    """Return the process of one of Kubernetes' own parts on the node."""
    ids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = [pid for pid in ids if _read(pid, "cmdline").split("\0")[1:2] == [name]]
    assert len(found) == 1, f"{name} runs as {found}"
    return found[0]


@contextmanager
def lost_packets(address: str, percent: int) -> Iterator[None]:
    """Have the node lose so many of the packets from and to a pod while the block lasts."""
    chosen = f"numgen random mod 100 < {percent}" if percent < EVERY else ""
    rules = "".join(
        f"add rule inet {LOSSES} {hook} ip {way} {address} {chosen} drop\n"
        for hook in ("forward", "input", "output")
        for way in ("saddr", "daddr")
    )
    chains = "".join(
        f"add chain inet {LOSSES} {hook} {{ type filter hook {hook} priority -10; }}\n"
        for hook in ("forward", "input", "output")
    )
    _nft(f"add table inet {LOSSES}\n{chains}{rules}")
    try:
        yield
    finally:
        _nft(f"delete table inet {LOSSES}\n")


@contextmanager
def delayed_packets(pid: int) -> Iterator[None]:
    """Have a slow line between a process' pod and all others: nothing is lost, all comes late."""
    line = ("nsenter", "--target", str(pid), "--net", "tc", "qdisc")
    subprocess.run([*line, "add", "dev", "eth0", "root", *SLOW_LINE], check=True)
    try:
        yield
    finally:  # whose pod has gone meanwhile has taken it along
        undo = [*line, "delete", "dev", "eth0", "root"]
        subprocess.run(undo, check=False, stderr=subprocess.DEVNULL)


@contextmanager
def full_disk(of: Callable[[], list[int]]) -> Iterator[None]:
    """Have processes, and those that they start, find no room; PostgreSQL takes this for just that.

    A container that ends for it starts anew with all the room there was.
    """
    _limit_files(of(), LITTLE)
    try:
        yield
    finally:
        _limit_files(of(), "unlimited")


def _limit_files(pids: list[int], size: str) -> None:
    """Limit what files processes may write; as their own user, who may do that on any machine."""
    for pid in pids:
        with suppress(FileNotFoundError):
            owner = Path(f"/proc/{pid}").stat()
            done = subprocess.run(
                ["prlimit", f"--fsize={size}:", f"--pid={pid}"], check=False, capture_output=True,
                user=owner.st_uid, group=owner.st_gid, extra_groups=[],
            )  # fmt: skip
            assert done.returncode == 0 or _has_ended(pid), done.stderr


def step_the_clock(seconds: float) -> None:
    """Set this machine's clock on or back; what counts from its start is not touched."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)


def _nft(rules: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)


def _has_ended(pid: int) -> bool:
    """Tell whether its connections are closed: a zombie's are, once its last thread has gone."""
    state = _read(pid, "stat").rpartition(")")[2].split()[:1]
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return True
    return state in ([], ["Z"], ["X"]) and len(threads) <= 1


def _is_of(pid: int, pod_uid: str, program: str) -> bool:
    groups = _read(pid, "cgroup").replace("_", "-")  # systemd writes it with underscores
    return pod_uid in groups and program in _read(pid, "cmdline")


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
