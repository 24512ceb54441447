"""A MiniStack for tests: another implementation of AWS's API, whose packages can be fetched."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.ports import free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["VERSION", "running_ministack"]

VERSION = "ministack==1.5.33"


@contextmanager
def running_ministack(python: Path) -> Iterator[str]:
    """Run the one of a virtual environment for as long as the block lasts; gives its address."""
    port = free_port()
    own = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1"}
    process = subprocess.Popen(
        [python, "-m", "ministack"],
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
