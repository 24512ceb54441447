"""Managed Node.js: `pilotlight_node`, one process ahead; `frames` is how it is spoken with."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .family import Executed, installed
from .variables import RUNTIME_FOLDER, defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_agent.journal import Journal
    from pilotlight_agent.places import Places
    from pilotlight_agent.processes.output import Output
    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .prepared import Expected
    from .runtime_api import RuntimeApi
    from .zygote import Born

_OPTIONS = "NODE_OPTIONS"
_WAITS = "--wait"
_READ_AT_START = re.compile(
    "NODE_(?!ENV$)|AWS_EXECUTION_ENV|UV_|OPENSSL_|SSL_|LD_|LC_|LANG|ICU_|TZ$|MALLOC_|GLIBC_"
    "|HOME$|FORCE_COLOR|WATCH_REPORT|SIMDUTF_"
)
"""What Node.js, its libraries or the loader read once; its manual, "Environment variables"."""
_NOT_YET = {"20": ("require-module",), "22": ("require-module", "detect-module")}
"""What Lambda turns off in a major version while Node.js calls it experimental.

Source: AWS Lambda Developer Guide, "Building Lambda functions with Node.js".
"""


class Node(Executed):
    """The family of `nodejs24.x`."""

    prefix = "nodejs"
    managed = True

    def load(self) -> None:
        """Import the way of speaking with it."""
        from . import frames  # noqa: F401, PLC0415 -- see `family`

    def start(
        self,
        setting: Setting,
        api: RuntimeApi,
        spawner: Spawner,
        output: Output,
        listener: Listener,
    ) -> tuple[Link, int]:
        """Start it on a socket pair; it is told its end's number."""
        from . import frames  # noqa: PLC0415 -- see `family`

        api.close()
        variables = _with_search_path(setting.variables, setting.places)
        setting = replace(setting, variables=variables)
        command = _command(setting.places, setting.memory, variables)
        return frames.start(setting, spawner, output, listener, command)

    def spawner(
        self,
        expected: Expected,
        places: Places,
        plain: Spawner,
        journal: Journal,  # noqa: ARG002 -- the family's signature
        born: Born | None,  # noqa: ARG002 -- the family's signature
    ) -> Spawner:
        """Have a process wait that fits functions of the size that is expected."""
        from .prepared import PreparedSpawner, Recipe  # noqa: PLC0415 -- see `family`

        if not expected.memory:
            return plain
        own = {"AWS_EXECUTION_ENV": f"AWS_Lambda_{expected.runtime}"}
        variables = _with_search_path(defaults(places, places.temporary) | own, places)
        command = _command(places, expected.memory, variables)
        recipe = Recipe(command, (_WAITS,), variables, _READ_AT_START, has_channel=True)
        return PreparedSpawner(recipe, plain)


def _with_search_path(variables: Mapping[str, str], places: Places) -> Mapping[str, str]:
    """Add where modules are looked for that are not beside the code.

    Source: AWS Lambda Developer Guide, "Search path for Node.js".
    """
    layers = f"{places.layers_root}/nodejs"
    folders = (
        *(f"{layers}/node{_major(variables)}/node_modules", f"{layers}/node_modules"),
        *(f"{RUNTIME_FOLDER}/node_modules", RUNTIME_FOLDER, str(places.task_root)),
    )
    return {"NODE_PATH": ":".join(folders), **variables}


def _command(places: Places, memory: int, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return what runs a function; the descriptor of its channel follows."""
    entry = installed("pilotlight_node", "index.mjs")
    return str(places.interpreter), *_options(memory, variables), entry


def _options(memory: int, variables: Mapping[str, str]) -> list[str]:
    """Return Lambda's options for a function of so many MB, but what its own options say."""
    own = variables.get(_OPTIONS, "").replace("_", "-")
    heap = {"semi": memory // 20, "old": memory * 9 // 10}
    sizes = [f"--max-{space}-space-size={size}" for space, size in heap.items()]
    if any(size.partition("=")[0] in own for size in sizes):
        sizes = []
    features = _NOT_YET.get(_major(variables), ())
    return sizes + [
        f"--no-experimental-{feature}"
        for feature in features
        if f"--experimental-{feature}" not in own
    ]


def _major(variables: Mapping[str, str]) -> str:
    """Return 24 of `AWS_Lambda_nodejs24.x`, which no function can set."""
    return variables["AWS_EXECUTION_ENV"].rpartition("nodejs")[2].partition(".")[0]
