"""The processes that belong to an execution environment, found in /proc and killed without a gap.

A function may fork, daemonise and start sessions of its own; on Lambda none of that outlives its
environment. The agent is a subreaper, so that everything a function starts stays below the agent,
whatever it calls itself. What descends from a runtime or is in its session belongs to that
environment. Any other process that the agent adopted goes with the first environment that ends, but
for what a zygote has forked ahead, and for one that carries the log stream of another environment
that lives: variables are no proof, and so they only put off its end until that one's.
"""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_QUIET_ROUNDS = 2
_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_INIT = 1
_CROWD = 256
_SMALL = 65_536
_MOST_ROUNDS = 1_000  # a fork bomb of 1,024 processes cannot keep ahead for that long


def children(pid: int) -> list[int]:
    """Return the ids of the direct children of `pid`, those of all its threads."""
    found: list[int] = []
    with suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_bytes().split())
    return found


def descendants(pid: int) -> list[int]:
    """Return the ids of everything below `pid`."""
    found: list[int] = []
    waiting = children(pid)
    while waiting:
        child = waiting.pop()
        found.append(child)
        waiting += children(child)
    return found


def is_alive(pid: int) -> bool:
    """Whether the process may still run code of its own: neither gone nor a zombie."""
    try:
        status = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b")")[2].split()[0] not in {b"Z", b"X"}


def resident_kilobytes(pid: int) -> int:
    """Return the memory of the process that is in RAM; 0 when it is gone."""
    with suppress(OSError, IndexError):
        return int(_read(f"{_PROC}/{pid}/statm").split()[1]) * _PAGE // 1024
    return 0


def proportional_kilobytes(pid: int) -> int:
    """Return the memory in RAM with shared pages counted in parts; slower than resident."""
    return _field_kilobytes(f"{_PROC}/{pid}/smaps_rollup", b"\nPss:")


def peak_kilobytes(pid: int) -> int:
    """Return the most memory that the process ever had in RAM; 0 when it is gone."""
    return _field_kilobytes(f"{_PROC}/{pid}/status", b"\nVmHWM:")


def _field_kilobytes(path: str, name: bytes) -> int:
    with suppress(OSError):
        content = _read(path)
        if (found := content.find(name)) >= 0:
            return int(content[found + len(name) :].split(None, 1)[0])
    return 0


def _read(path: str) -> bytes:
    """Read a small file of /proc in one piece, as an invocation may wait for it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _SMALL)
    finally:
        os.close(descriptor)


def kill(root: int, mark: bytes, others: Mapping[int, bytes]) -> None:
    """Kill the environment of the runtime process `root`, whose variables hold `mark`.

    `others` are processes of the pod that are spared, with their offspring: the runtimes of other
    environments, each with its mark, and the zygote, with none. It ends when nobody is found who
    was not signalled: a process with SIGKILL pending starts no child any more. One look is not
    enough, because the kernel's lists of children may skip one while another exits.
    """
    if is_crowded():
        _kill_all()
        return
    signalled: set[int] = set()
    quiet_rounds = 0
    for _ in range(_MOST_ROUNDS):
        fresh = [pid for pid in _members(root, mark, others) if pid not in signalled]
        fresh = [pid for pid in fresh if is_alive(pid)]
        quiet_rounds = 0 if fresh else quiet_rounds + 1
        if quiet_rounds == _QUIET_ROUNDS:
            return
        for pid in fresh:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            signalled.add(pid)


def is_crowded() -> bool:
    """Whether so many processes run in this pod that looking at each would take too long.

    False outside a pod, where the agent is not the first process and others are not its business.
    """
    if os.getpid() != _INIT:
        return False
    return sum(entry.name.isdigit() for entry in _PROC.iterdir()) > _CROWD


def _kill_all() -> None:
    """Kill every process of the pod but the agent, in one step, which a fork bomb cannot escape.

    Zygotes and other environments of the function go with it: the bomb had starved them anyway.
    """
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)


def _members(root: int, mark: bytes, others: Mapping[int, bytes]) -> list[int]:
    own = {root, *descendants(root)}
    for adopted in children(os.getpid()):
        if adopted in own or adopted in others:
            continue
        family = [adopted, *descendants(adopted)]
        if any(_belongs(pid, root, mark, others) for pid in family):
            own.update(family)
    return [pid for pid in own if pid != os.getpid()]


def _belongs(pid: int, root: int, mark: bytes, others: Mapping[int, bytes]) -> bool:
    try:
        session = os.getsid(pid)
    except ProcessLookupError:
        return False
    variables = b""  # of a process that hides them, too
    with suppress(OSError):
        variables = (_PROC / str(pid) / "environ").read_bytes()
    if session == root or mark in variables:
        return True
    return session not in others and not any(
        other_mark in variables if other_mark else _shares_socket(pid, other)
        for other, other_mark in others.items()
    )


def _shares_socket(pid: int, zygote: int) -> bool:
    """Whether a process waits beside a zygote to become an environment; none of those has it."""
    return bool(_sockets(pid) & _sockets(zygote))


def _sockets(pid: int) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):
        for descriptor in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                found.add(str(descriptor.readlink()))
    return {name for name in found if name.startswith("socket:")}
