"""What a runtime process prints, line by line.

Standard output and error share one pipe, so that their order is kept, and Lambda keeps no
distinction either. The pipe is what bounds a flood: a function that prints faster than the agent
reads waits, as it would at a full disk, and the agent never takes more than one buffer at a time.
"""

import asyncio
import fcntl
import os
import termios
from collections.abc import Callable

LONGEST_LINE = 262_144
_READ_SIZE = 65_536
_INT_SIZE = 4
_CUT_MARK = " [line cut by Pilotlight after 262144 bytes]"


class LineSplitter:
    """Bytes into lines of text: invalid UTF-8 is replaced, a line over 256 KiB cut and marked."""

    def __init__(self) -> None:
        self._rest = b""
        self._cutting = False

    @property
    def unfinished(self) -> bool:
        """Whether a line has begun."""
        return bool(self._rest) or self._cutting

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [text for line in whole if (text := self._finish(line)) is not None]
        if len(self._rest) > LONGEST_LINE:
            if not self._cutting:
                lines.append(decode(self._rest))
            self._cutting, self._rest = True, b""
        return lines

    def flush(self) -> list[str]:
        """Return the line that nothing will complete any more."""
        line = self._finish(self._rest) if self.unfinished else None
        self._rest = b""
        return [] if line is None else [line]

    def _finish(self, line: bytes) -> str | None:
        """Decode a whole line; None for the rest of one that was cut before."""
        if self._cutting:
            self._cutting = False
            return None
        return decode(line)


def decode(line: bytes) -> str:
    """Return a line as text, cut where it is too long."""
    if len(line) > LONGEST_LINE:
        return line[:LONGEST_LINE].decode(errors="replace") + _CUT_MARK
    return line.decode(errors="replace")


class Output:
    """The pipe of one runtime process; `on_line` hears every line.

    `splitter` knows what a line is; `writer` is the descriptor for the process, to be closed here
    once the process has it.
    """

    def __init__(
        self, on_line: Callable[[str], None], splitter: LineSplitter | None = None
    ) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._capacity = fcntl.fcntl(self._reader, fcntl.F_GETPIPE_SZ)
        self._size = bytearray(_INT_SIZE)
        self._splitter = splitter or LineSplitter()
        self._on_line = on_line
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    def close_writer(self) -> None:
        """Leave writing to the process alone."""
        os.close(self.writer)

    def adopt(self, reader: int) -> None:
        """Read from here instead: a process that was there before has a pipe of its own."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._reader)
        os.close(self._reader)
        self._reader = reader
        self._capacity = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
        os.set_blocking(reader, False)
        loop.add_reader(reader, self._read)

    def drain(self) -> None:
        """Read what was written before now, the unfinished line included.

        At most one pipe's capacity: that is all that can have been written before, whatever a
        thread goes on writing.
        """
        left = self._capacity
        while left > 0 and self._holds_bytes() and (size := self._read()):
            left -= size
        if self._splitter.unfinished:
            self._tell(self._splitter.flush())

    def close(self) -> None:
        """Read the rest and let go of the pipe."""
        self.drain()
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)

    def _holds_bytes(self) -> bool:
        """Look first: after most invocations there is nothing, which `read` says by an error."""
        fcntl.ioctl(self._reader, termios.FIONREAD, self._size)
        return any(self._size)

    def _read(self) -> int:
        try:
            data = os.read(self._reader, _READ_SIZE)
        except BlockingIOError:
            return 0
        if data:
            self._tell(self._splitter.feed(data))
        else:
            asyncio.get_running_loop().remove_reader(self._reader)
        return len(data)

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self._on_line(line)
