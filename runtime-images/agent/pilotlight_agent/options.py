"""The agent's options; each is also an environment variable `PILOTLIGHT_AGENT_…`."""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .places import Places

PREFIX = "PILOTLIGHT_AGENT_"


@dataclass(frozen=True, slots=True)
class Options:
    """Where to listen, whom to believe, where things are."""

    host: str
    port: int
    socket: str
    """Where to listen beside that, a path; empty: nowhere."""
    token_sha256: str
    places: Places
    runtime: str
    """What the pod is meant for, so that it can prepare; empty: nothing in particular."""
    memory: int
    """MB that its function probably has; 0: nobody knows."""
    zone: str
    """Where the node is, for the metadata endpoint; empty: nobody knows."""
    parent_stdin: bool


def read(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Options:
    """Read options from the command line, else from the environment; exits on a wrong one."""
    given = _parser(environ).parse_args(arguments)
    host, port = given.listen
    return Options(
        host=host,
        port=port,
        socket=given.socket,
        token_sha256=given.token_sha256,
        runtime=given.runtime,
        memory=given.memory,
        zone=given.zone,
        parent_stdin=given.parent_stdin,
        places=Places(given.task_root, given.temporary, given.layers_root, given.interpreter),
    )


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pilotlight_agent", description=__doc__)

    def add(name: str, kind: type | object, default: str | None, text: str) -> None:
        variable = PREFIX + name.upper().replace("-", "_")
        value = environ.get(variable, default)
        parser.add_argument(
            f"--{name}",
            type=kind,  # type: ignore[arg-type]  # argparse takes any callable on str
            default=value,
            required=value is None,
            help=f"{text} [{variable}]",
        )

    add("listen", _address, "0.0.0.0:8700", "HOST:PORT for gateways; port 0 takes a free one")
    add("socket", str, "", "path of a socket for gateways of this machine, beside HOST:PORT")
    add("token-sha256", _digest, None, "hex sha256 of the token that gateways bring")
    add("task-root", _path, "/var/task", "where the code is unpacked")
    add("temporary", _path, "/tmp", "what functions use as /tmp")  # noqa: S108 -- Lambda's own path
    add("layers-root", _path, "/opt", "where layers are")
    add("interpreter", _path, sys.executable, "what runs managed functions")
    add("runtime", str, "", "runtime id to prepare for, such as python3.13")
    add("memory", int, "0", "MB that the function to prepare for probably has; 0: unknown")
    add("zone", str, "", "the node's zone, which functions may ask for")
    parser.add_argument(
        "--parent-stdin",
        action="store_true",
        default=environ.get(PREFIX + "PARENT_STDIN", "") not in {"", "0"},
        help=f"end when standard input does [{PREFIX}PARENT_STDIN]",
    )
    return parser


def _path(value: str) -> Path:
    return Path(value).absolute()


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"HOST:PORT is expected, not {value!r}")
    return host, int(port)


def _digest(value: str) -> str:
    if re.fullmatch("[0-9A-Fa-f]{64}", value) is None:
        raise argparse.ArgumentTypeError("64 hexadecimal digits are expected")
    return value.lower()
