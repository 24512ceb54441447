"""The mark by which the agent knows an environment's processes, kept true after a fork.

The agent reads /proc/PID/environ, which the kernel takes from where the variables were when the
process was started: a forked process shows its zygote's. So the zygote is started with room in
that place, and each process that it forks writes its own log stream there. What it starts in its
turn, however deep, inherits either this memory or its real variables.
"""

import os
from pathlib import Path

_NAME = b"AWS_LAMBDA_LOG_STREAM_NAME="
_ENV_START = 47  # proc_pid_stat(5): field 50, counted from the third, the one after the name


class Mark:
    """The place of the mark in this process's memory and in that of its forks."""

    def __init__(self) -> None:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        variables = Path("/proc/self/environ").read_bytes()
        start = variables.index(_NAME) + len(_NAME)
        self._address = int(fields[_ENV_START]) + start
        self._size = variables.index(b"\0", start) - start

    def write(self, log_stream: str) -> None:
        """Show the log stream to whoever looks; OSError or ValueError when that is impossible."""
        content = log_stream.encode().ljust(self._size, b"\0")
        if len(content) > self._size:
            raise ValueError("no room for the log stream")
        memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(memory, content, self._address)
        finally:
            os.close(memory)
