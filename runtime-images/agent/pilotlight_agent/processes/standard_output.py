"""The agent's own standard output: JSON lines for whoever started it, never a brake.

A pipe whose reader sleeps must not stop the agent, so pipes and sockets are written through
asyncio, and the journal's cursor waits while they are full. Files are written directly.
"""

import asyncio
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HIGH_WATER = 1_048_576
_FAREWELL_SECONDS = 2.0


class StandardOutput(asyncio.BaseProtocol):
    """Writes bytes to file descriptor 1; `writable` is False while the reader lags."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._lagging = False
        self._lost = asyncio.Event()
        self.on_writable: Callable[[], None] | None = None

    async def open(self) -> None:
        """Attach to the event loop where the descriptor allows it."""
        mode = os.fstat(1).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            loop = asyncio.get_running_loop()
            pipe = os.fdopen(os.dup(1), "wb", buffering=0)
            self._transport, _ = await loop.connect_write_pipe(lambda: self, pipe)
            self._transport.set_write_buffer_limits(high=_HIGH_WATER)

    async def close(self) -> None:
        """Send what is left, if the reader takes it within two seconds."""
        if self._transport is not None:
            self._transport.close()
            try:
                await asyncio.wait_for(self._lost.wait(), _FAREWELL_SECONDS)
            except TimeoutError:
                self._transport.abort()

    def writable(self) -> bool:
        """Whether the reader keeps up."""
        return not self._lagging

    def write(self, data: bytes) -> None:
        """Send whole lines."""
        if self._transport is None:
            os.write(1, data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Note that nothing can be written any more."""
        self._lost.set()

    def pause_writing(self) -> None:
        """Note that the reader lags."""
        self._lagging = True

    def resume_writing(self) -> None:
        """Go on: the reader has caught up."""
        self._lagging = False
        if self.on_writable is not None:
            self.on_writable()
