"""What builds are tested with: a workshop of their own, and stand-ins for tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight_cli.builders import Packager, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a script on the PATH, alone; gives the file of its arguments and of some variables."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(name: str, script: str) -> Path:
        asked, program = tmp_path / f"{name}.asked", folder / name
        program.write_text(f'#!/bin/sh\necho "$GOARCH" "$BUNDLE_PATH" "$@" >> {asked}\n{script}\n')
        program.chmod(0o755)
        return asked

    return make


@pytest.fixture
def packager(tmp_path: Path) -> Packager:
    """A packager whose cache is empty."""
    return Packager(Workshop(tmp_path / "cache"))
