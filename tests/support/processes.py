"""A server of a test's own that is one program on one port."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.support.ports import free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

__all__ = ["ServerProcess"]


class ServerProcess:
    """Runs for as long as the block lasts; a test may stop and start it."""

    def __init__(self, command: Sequence[str]) -> None:
        """`{port}` in a command's word stands for its port."""
        self.port = free_port()
        self._command = [word.format(port=self.port) for word in command]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port, self._process)

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
