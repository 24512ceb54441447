"""What Go and Rust make: one program for `provided.al2023`, which is the whole package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..archive import entry_of
from ..failures import USAGE, Failure
from ..package import Built

if TYPE_CHECKING:
    from pathlib import Path

    from .target import Target

__all__ = ["BOOTSTRAP", "bootstrap"]

BOOTSTRAP = "bootstrap"
_EXECUTABLE = 0o755


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
