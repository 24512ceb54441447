"""What Go and Rust make: one program for `provided.al2023`, which is the whole package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.runtimes.bootstrap import NEWEST

from ..archive import entry_of
from ..failures import USAGE, Failure
from ..package import Built

if TYPE_CHECKING:
    from pathlib import Path

    from .target import Target

__all__ = ["BOOTSTRAP", "ProgramBuilder", "bootstrap"]

BOOTSTRAP = "bootstrap"
_EXECUTABLE = 0o755


class ProgramBuilder:
    """What the builders of compiled programs have in common; each names its `marker`."""

    prefix = "provided"
    handler: str | None = BOOTSTRAP
    marker: str

    def manifest(self, folder: Path) -> str | None:
        """Name the file that makes a folder such a project."""
        return self.marker if (folder / self.marker).is_file() else None

    def runtime(self, folder: Path) -> str:  # noqa: ARG002  all are one
        """Choose the newest."""
        return NEWEST


def bootstrap(program: Path, target: Target, made_by: str) -> Built:
    """Make a package of a program; raises Failure where it is none for the target."""
    content = program.read_bytes() if program.is_file() else b""
    if not target.runs(content):
        raise Failure(
            f"{made_by}: no program for Linux {target.architecture} came of it, which is to be the "
            f"package's {BOOTSTRAP}",
            USAGE,
        )
    return Built({BOOTSTRAP: entry_of(BOOTSTRAP, content, _EXECUTABLE)}, whole=True)
