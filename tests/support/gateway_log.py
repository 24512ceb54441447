"""What the gateways' containers write, read on the node as it comes: a killed one's log is kept."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.support.cluster import Installation

__all__ = ["GatewayLog"]

LOGS = Path("/var/log/pods")
LOOK_SECONDS = 1.0
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class GatewayLog:
    """Collects the request ids of lines that hold some words, until the block ends."""

    def __init__(self, platform: Installation, words: str) -> None:
        self.ids: set[str] = set()
        self._pattern = f"{platform.namespace}_{platform.release}-gateway-*/*/*.log*"
        self._words = words
        self._read: dict[int, int] = {}
        """Bytes, by inode: the kubelet renames what has grown large."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Read what there is, and end."""
        self._stop.set()
        self._thread.join()
        self._look()
        assert self._read, f"no log at {LOGS / self._pattern}: this machine is not the node"

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        for path in LOGS.glob(self._pattern):
            try:
                with path.open(errors="replace") as log:
                    inode = os.fstat(log.fileno()).st_ino
                    log.seek(self._read.get(inode, 0))
                    lines = log.readlines()
                    self._read[inode] = log.tell()
            except FileNotFoundError:  # its pod has gone since
                continue
            found = (ID.search(line) for line in lines if self._words in line)
            self.ids |= {one.group() for one in found if one}
