"""Processes of a pod, seen from the node that runs it: this machine, for the one-node cluster."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def processes(pod_uid: str) -> list[int]:
    """Give the ids of a pod's processes, but for the one that holds its namespaces open."""
    there = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in there if _is_of(pid, pod_uid)]


def kill_together(pod_uid: str) -> int:
    """Kill agent and children as cgroup v2 does when a container's memory is full; gives how many.

    The kernel signals all of them before any of them runs again, so that nobody can report.
    """
    victims = processes(pod_uid)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    return len(victims)


def _is_of(pid: int, pod_uid: str) -> bool:
    groups = _read(pid, "cgroup").replace("_", "-")  # systemd writes it with underscores
    return pod_uid in groups and "python" in _read(pid, "cmdline")


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
