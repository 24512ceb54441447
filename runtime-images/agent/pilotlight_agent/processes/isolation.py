"""What the agent asks of the kernel before it runs anybody's code."""

import ctypes
import os
import resource
from contextlib import suppress

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_OPEN_FILES = 1_024  # AWS Lambda Developer Guide, quotas: file descriptors
_PROCESSES = 1_024  # AWS Lambda Developer Guide, quotas: processes and threads
_AGENT_THREADS = 16
_FIRST_POD_UID = 100_000
_LEAST_URGENT = 19


def isolate() -> None:
    """Adopt orphans, shut /proc/self to the function's eyes, and set the limits it inherits."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_CHILD_SUBREAPER, 1), (_PR_SET_DUMPABLE, 0)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl option {option} refused")
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    if os.getuid() >= _FIRST_POD_UID:
        # The kernel counts processes by uid: only a uid that no one else has can be limited.
        _limit(resource.RLIMIT_NPROC, _PROCESSES + _AGENT_THREADS)


def yield_to_agent(pid: int) -> None:
    """Let the agent go first in the pod: with a thousand busy processes it must still stop them."""
    if os.getuid() >= _FIRST_POD_UID:
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, pid, _LEAST_URGENT)


def _limit(kind: int, most: int) -> None:
    """Set a limit, or keep a stricter one that is there already."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))
