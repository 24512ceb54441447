"""The zygote: an interpreter with everything loaded but the function, which forks environments.

Its other end is the agent's `zygote`. One datagram is one message: first the zygote says what it
holds, then each request is answered by the process that serves it, with its id. That process was
forked ahead, since a fork takes milliseconds, and its parent has ended, so that it belongs to the
agent, the nearest subreaper, as if the agent had started it; and it answers before it does anything
else, so that no answer means no process. Nothing here starts a thread or opens a socket, and the
zygote looks.
"""

import gc
import importlib
import json
import os
import random
import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pilotlight_python import profile
from pilotlight_python.mark import Mark
from pilotlight_python.profile import Profile

_REQUEST_LIMIT = 262_144
_DESCRIPTORS = 2  # of a request: standard output, then the channel
_REST_SECONDS = 0.5
_CLOSED = b"closed"  # what the zygote is told when the agent has closed the socket
_COERCED = "LC_CTYPE"  # the one variable that the interpreter itself sets, PEP 538


class NotAloneError(Exception):
    """A fork would not be a whole copy: there is a thread or a descriptor that nobody expects."""


def serve(descriptor: int) -> list[str]:
    """Load the profile and fork on request; returns in environments only, with their arguments.

    The zygote itself ends when the agent closes the socket behind `descriptor`.
    """
    control = socket.socket(fileno=descriptor)
    plain = _prepare()
    problem = _load({descriptor})
    return _serve(control, Profile(plain), problem)


def part(packages: list[Path], options: list[str]) -> list[str]:
    """Load the profile and the agent, and fork: this process goes on as the agent.

    `packages` are the folders of the agent's package and of those that it imports. The other
    process is a zygote as in `serve`, without any of their modules in sight.
    """
    plain = _prepare()
    run = _load_agent(packages, options)
    problem = _load(set())
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if zygote := os.fork():
        theirs.close()
        gc.enable()
        run(zygote, ours.detach())
        sys.exit()
    ours.close()
    profile.forget({package.name for package in packages})
    _leave()
    return _serve(theirs, Profile(plain), problem)


def _load_agent(packages: list[Path], options: list[str]) -> Callable[[int, int], None]:
    """Import the agent from its place, and leave that place off the search path again."""
    sys.path += [str(package.parent) for package in packages]
    try:
        agent = importlib.import_module(f"{packages[0].name}.agent")
    finally:
        del sys.path[-len(packages) :]
    run: Callable[[int, int], None] = agent.prepare(options)
    return run


def _prepare() -> list[str]:
    """Load what every environment has; gives the modules that a plain start has by then."""
    gc.disable()  # a collection would leave holes, and every process would fill its own
    importlib.import_module("pilotlight_python.service")
    return list(sys.modules)


def _load(expected: set[int]) -> str:
    """Load the profile; gives the reason why nothing can be forked, empty if it can be."""
    try:
        profile.load()
        _check_alone(expected)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the agent tells and does without
        return f"{type(error).__name__}: {error}"
    return ""


def _serve(control: socket.socket, loaded: Profile, problem: str) -> list[str]:
    mark = Mark()
    if problem:
        control.send(_encode({"error": problem}))
        os._exit(1)
    _tell(control, loaded)
    request, output, channel = _wait(control)
    _redirect(output)
    if request["forget"]:
        loaded.forget()
    return _start(mark, request, channel)


def _tell(control: socket.socket, loaded: Profile) -> None:
    names = {"standard": sorted(loaded.standard), "packages": sorted(loaded.packages)}
    control.send(_encode(names))


def _leave() -> None:
    """Leave the agent's session, input and output, and its first place before the OOM killer."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.setsid()
    _redirect(null)
    with suppress(OSError):  # when memory is short the kernel is to choose the function
        Path("/proc/self/oom_score_adj").write_bytes(b"1000")


def _wait(control: socket.socket) -> tuple[dict[str, Any], int, int]:
    """Keep one process ahead that will be the next environment; returns in it, with its request.

    After a request the new environment has the processor for itself first.
    """
    while True:
        reader, writer = os.pipe()
        try:
            if _fork_orphan():
                os.close(reader)
                return _become_environment(control, writer)
        except OSError as error:
            _refuse(control, error)
        os.close(writer)
        if os.read(reader, len(_CLOSED)) == _CLOSED:
            os._exit(0)
        os.close(reader)
        select.select([control], [], [], _REST_SECONDS)


def _fork_orphan() -> bool:
    """Fork a process whose parent has ended: True in it. OSError when there is none."""
    if parent := os.fork():
        if os.waitpid(parent, 0)[1]:
            raise BlockingIOError("the second fork failed")
        return False
    try:
        orphan = os.fork()
    except OSError:
        os._exit(1)
    if orphan:
        os._exit(0)
    return True


def _become_environment(control: socket.socket, writer: int) -> tuple[dict[str, Any], int, int]:
    """Wait for a request and tell this process's id; its end of the pipe tells the zygote."""
    _get_ready()
    message, descriptors, _, _ = socket.recv_fds(control, _REQUEST_LIMIT, _DESCRIPTORS)
    if not message:
        os.write(writer, _CLOSED)
        os._exit(0)
    control.send(_encode({"pid": os.getpid()}))
    control.close()
    os.close(writer)
    output, channel = descriptors
    return json.loads(message), output, channel


def _get_ready() -> None:
    """Do for an environment what does not depend on its request."""
    os.setsid()
    _reseed()
    _clear_variables()
    gc.enable()


def _refuse(control: socket.socket, error: OSError) -> None:
    """Answer the request that waits for a process, if one does."""
    if select.select([control], [], [], 0)[0]:
        _, descriptors, _, _ = socket.recv_fds(control, _REQUEST_LIMIT, _DESCRIPTORS)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(_encode({"error": str(error)}))


def _check_alone(expected: set[int]) -> None:
    """Find one thread, and no descriptor but the standard ones and those expected."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise NotAloneError(f"{threads} threads run")
    open_files = [int(each.name) for each in Path("/proc/self/fd").iterdir()]
    strangers = {fd for fd in open_files if _is_open(fd)} - {0, 1, 2} - expected
    if strangers:
        raise NotAloneError(f"descriptors {sorted(strangers)} are open")


def _is_open(descriptor: int) -> bool:
    """Tell a descriptor from the one that the look itself took."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _redirect(output: int) -> None:
    """Give this process an output of its own."""
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)


def _start(mark: Mark, request: dict[str, Any], channel: int) -> list[str]:
    """Make this process what starting it with the request's variables would have made it."""
    os.chdir(request["folder"])
    for name, value in request["variables"].items():
        os.environ[name] = value
    time.tzset()
    mark.write(request["mark"])
    arguments = [str(channel), request["layersRoot"]]
    sys.orig_argv[3:] = arguments  # as python -u FOLDER … was called
    return arguments


def _clear_variables() -> None:
    coerced = os.environ.get(_COERCED)
    os.environ.clear()
    if coerced is not None:
        os.environ[_COERCED] = coerced


def _reseed() -> None:
    """Give generators that were seeded before the fork a seed of their own.

    The kernel's, OpenSSL's and what registers with os.register_at_fork need no help.
    """
    random.seed()
    if "numpy" in sys.modules:
        importlib.import_module("numpy.random").seed()


def _encode(message: Mapping[str, object]) -> bytes:
    return json.dumps(message).encode()
