"""Functions of local mode have a Python of their own where there is one."""

from __future__ import annotations

import sys
from pathlib import Path

from pilotlight_local.pythons import FunctionsPython, find_functions_python


def test_the_environment_beside_the_platforms_is_taken(tmp_path: Path) -> None:
    """Its packages are its own."""
    python = tmp_path / "functions" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert find_functions_python(tmp_path) == FunctionsPython(python, shared=False)


def test_without_one_functions_share_the_platforms(tmp_path: Path) -> None:
    """Which `dev` says."""
    assert find_functions_python(tmp_path) == FunctionsPython(Path(sys.executable), shared=True)
