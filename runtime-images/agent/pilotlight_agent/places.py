"""Where things are in this pod; in local mode every agent has places of its own."""

from dataclasses import dataclass
from pathlib import Path

TEMPORARY = Path("/tmp")  # noqa: S108 -- Lambda's own path
"""What a function uses for temporary files; in local mode it has another folder, by TMPDIR."""


@dataclass(frozen=True, slots=True)
class Places:
    """Folders, and the interpreter that runs managed functions."""

    task_root: Path
    temporary: Path
    layers_root: Path
    interpreter: Path
