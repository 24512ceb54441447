"""The zygote: an interpreter with everything loaded but the function, which forks environments.

Its other end is the agent's `zygote`. One datagram is one message: first the zygote says what it
holds, then each request is answered by the process that was forked for it, with its id. That
process is a grandchild whose parent has ended, so that it belongs to the agent, the nearest
subreaper, as if the agent had started it; and it answers before it does anything else, so that no
answer means no process. Nothing here starts a thread or opens a socket, and the zygote looks.
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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pilotlight_python.mark import Mark

_PROFILES = Path(__file__).with_name("profiles.json")
_REQUEST_LIMIT = 262_144
_DESCRIPTORS = 2  # of a request: standard output, then the channel
_REST_SECONDS = 0.5
_CLOSED = 3  # exit code: the agent has closed the socket
_COERCED = "LC_CTYPE"  # the one variable that the interpreter itself sets, PEP 538


class NotAloneError(Exception):
    """A fork would not be a whole copy: there is a thread or a descriptor that nobody expects."""


def serve(descriptor: int, profile: str) -> list[str]:
    """Load a profile and fork on request; returns in environments only, with their arguments.

    The zygote itself ends when the agent closes the socket behind `descriptor`. A request may also
    be for another zygote with a larger profile, which so shares what this one has loaded.
    """
    control = socket.socket(fileno=descriptor)
    gc.disable()  # a collection would leave holes, and every process would fill its own
    importlib.import_module("pilotlight_python.service")
    plain = _top_level()
    while True:
        try:
            mark = Mark()
            _load(profile)
            _check_alone(control.fileno())
        except Exception as error:  # noqa: BLE001 -- whatever it is, the agent tells and does without
            control.send(_encode({"error": f"{type(error).__name__}: {error}"}))
            os._exit(1)
        control.send(_encode({"names": sorted(_top_level() - plain)}))
        request, output, channel = _wait(control)
        _detach(output)
        if "profile" not in request:
            return _start(mark, request, channel)
        profile, control = request["profile"], socket.socket(fileno=channel)


def _load(profile: str) -> None:
    """Import a profile's modules, as far as they are installed."""
    lists: dict[str, list[str]] = json.loads(_PROFILES.read_bytes())
    for name in (*lists["stdlib"], *(lists[profile] if profile != "stdlib" else ())):
        if find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _wait(control: socket.socket) -> tuple[dict[str, Any], int, int]:
    """Keep one process waiting for the next request; returns in what it forks, with its request.

    So a request costs one fork, though two lie between the zygote and the environment. After a
    request the new environment has the processor for itself first.
    """
    while True:
        child = os.fork()
        if not child:
            return _answer(control)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == _CLOSED:
            os._exit(0)
        select.select([control], [], [], _REST_SECONDS)


def _answer(control: socket.socket) -> tuple[dict[str, Any], int, int]:
    """Fork for one request and end; returns in the forked process, once it has told its id."""
    message, descriptors, _, _ = socket.recv_fds(control, _REQUEST_LIMIT, _DESCRIPTORS)
    if not message:
        os._exit(_CLOSED)
    try:
        environment = os.fork()
    except OSError as error:
        control.send(_encode({"error": str(error)}))
        os._exit(0)
    if environment:
        os._exit(0)
    control.send(_encode({"pid": os.getpid()}))
    control.close()
    output, channel = descriptors
    return json.loads(message), output, channel


def _top_level() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules}


def _check_alone(descriptor: int) -> None:
    """Find one thread, and no descriptor but the standard ones and the agent's."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise NotAloneError(f"{threads} threads run")
    open_files = [int(each.name) for each in Path("/proc/self/fd").iterdir()]
    strangers = {fd for fd in open_files if _is_open(fd)} - {0, 1, 2, descriptor}
    if strangers:
        raise NotAloneError(f"descriptors {sorted(strangers)} are open")


def _is_open(descriptor: int) -> bool:
    """Tell a descriptor from the one that the look itself took."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _detach(output: int) -> None:
    """Give this process a session and an output of its own."""
    os.setsid()
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)


def _start(mark: Mark, request: dict[str, Any], channel: int) -> list[str]:
    """Make this process what starting it with the request's variables would have made it."""
    os.chdir(request["folder"])
    _set_variables(request["variables"])
    mark.write(request["mark"])
    _reseed()
    gc.enable()
    arguments = [str(channel), request["layersRoot"]]
    sys.orig_argv[3:] = arguments  # as python -u FOLDER … was called
    return arguments


def _set_variables(variables: dict[str, str]) -> None:
    coerced = os.environ.get(_COERCED)
    os.environ.clear()
    os.environ.update(variables)
    if coerced is not None:
        os.environ.setdefault(_COERCED, coerced)
    time.tzset()


def _reseed() -> None:
    """Give generators that were seeded before the fork a seed of their own.

    The kernel's, OpenSSL's and what registers with os.register_at_fork need no help.
    """
    random.seed()
    if "numpy" in sys.modules:
        importlib.import_module("numpy.random").seed()


def _encode(message: dict[str, object]) -> bytes:
    return json.dumps(message).encode()
