"""A fork bomb: told by a glance, ended in one step, and only inside a pod."""

import os
import signal
from pathlib import Path

import pytest

from pilotlight_agent.processes import tree


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[int, int]]:
    """A pod of 400 processes in which nothing is really killed; gives what would be."""
    for number in range(1, 401):
        (tmp_path / str(number)).mkdir()
    kills: list[tuple[int, int]] = []
    monkeypatch.setattr(tree, "_PROC", tmp_path)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(os, "kill", lambda pid, number: kills.append((pid, number)))
    return kills


def test_a_crowd_is_killed_in_one_step(killed: list[tuple[int, int]]) -> None:
    tree.kill(7, b"mark", others={})
    assert killed == [(-1, signal.SIGKILL)]


def test_outside_a_pod_nobody_else_is_killed(
    killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, minus one would be everything that the user runs."""
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    assert not tree.is_crowded()
    tree.kill(2**22 + 1, b"mark", others={})
    assert -1 not in {pid for pid, _ in killed}


def test_few_processes_are_looked_at(killed: list[tuple[int, int]], tmp_path: Path) -> None:
    for number in range(100, 401):
        (tmp_path / str(number)).rmdir()
    assert not tree.is_crowded()
    assert not killed
