"""Every benchmark starts as the Makefile and docs/performance.md start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
COMMANDS = sorted(
    file.stem for file in FOLDER.glob("*.py") if '__name__ == "__main__"' in file.read_text()
)


@pytest.mark.parametrize("command", COMMANDS)
def test_it_says_what_it_takes(command: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{command}", "--help"],
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"python -m benchmarks.{command}" in ran.stdout
