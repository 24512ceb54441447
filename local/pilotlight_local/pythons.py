"""Which Python runs managed Python functions of local mode.

One environment of its own, with boto3 as on Lambda and without the platform's packages; `make
setup` puts it beside the platform's. Without it functions run with the platform's own Python.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FunctionsPython", "find_functions_python"]


@dataclass(frozen=True, slots=True)
class FunctionsPython:
    """An interpreter, and whether the platform's packages can be seen from it."""

    path: Path
    shared: bool


def find_functions_python(prefix: Path | None = None) -> FunctionsPython:
    """Look for the environment `functions` inside the platform's own (`prefix`)."""
    own = (prefix or Path(sys.prefix)) / "functions" / "bin" / "python"
    if own.exists():
        return FunctionsPython(own, shared=False)
    return FunctionsPython(Path(sys.executable), shared=True)
