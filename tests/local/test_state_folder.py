"""A state folder has one holder and a format, and says so when either is wrong."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pilotlight.errors import StateInUseError, StateVersionError
from pilotlight_local.state_folder import FORMAT, StateFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_made_and_held_once(tmp_path: Path) -> None:
    """The message names the folder; closing gives it back."""
    path = tmp_path / "deep" / "state"
    with StateFolder(path) as folder:
        assert folder.resources.parent == path
        with pytest.raises(StateInUseError, match=str(path)):
            StateFolder(path)
    StateFolder(path).close()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """The kernel gives the lock back."""
    holder = (
        "import pathlib, sys, time; from pilotlight_local.state_folder import StateFolder\n"
        "folder = StateFolder(pathlib.Path(sys.argv[1])); print('held', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StateInUseError):
            StateFolder(tmp_path)
        process.kill()
    StateFolder(tmp_path).close()


def test_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    """Both formats are named, nothing is changed, and the lock is free."""
    (tmp_path / "format").write_text(f"{FORMAT + 6}\n")
    for _ in range(2):
        with pytest.raises(StateVersionError, match=f"format {FORMAT + 6}.*up to {FORMAT}"):
            StateFolder(tmp_path)
    assert (tmp_path / "format").read_text() == f"{FORMAT + 6}\n"


def test_an_unreadable_format_is_refused(tmp_path: Path) -> None:
    """It may be anything, so it is not overwritten."""
    (tmp_path / "format").write_text("one")
    with pytest.raises(StateVersionError, match="'one'"):
        StateFolder(tmp_path)
