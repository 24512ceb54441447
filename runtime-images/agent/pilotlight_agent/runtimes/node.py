"""Managed Node.js: `pilotlight_node`, started by exec; `frames` is how the agent speaks with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .family import Executed, installed
from .variables import RUNTIME_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_agent.places import Places
    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .runtime_api import RuntimeApi

_OPTIONS = "NODE_OPTIONS"
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
        self, setting: Setting, api: RuntimeApi, spawner: Spawner, output: int, listener: Listener
    ) -> tuple[Link, int]:
        """Start it on a socket pair; it is told its end's number."""
        from . import frames  # noqa: PLC0415 -- see `family`

        api.close()
        setting = replace(setting, variables=_with_search_path(setting.variables, setting.places))
        entry = installed("pilotlight_node", "index.mjs")
        command = (str(setting.places.interpreter), *_options(setting), entry)
        return frames.start(setting, spawner, output, listener, lambda fd: (*command, str(fd)))


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


def _options(setting: Setting) -> list[str]:
    """Return Lambda's options for a function of this size, but what its own options say."""
    own = setting.variables.get(_OPTIONS, "").replace("_", "-")
    heap = {"semi": setting.memory // 20, "old": setting.memory * 9 // 10}
    sizes = [f"--max-{space}-space-size={size}" for space, size in heap.items()]
    if any(size.partition("=")[0] in own for size in sizes):
        sizes = []
    features = _NOT_YET.get(_major(setting.variables), ())
    return sizes + [
        f"--no-experimental-{feature}"
        for feature in features
        if f"--experimental-{feature}" not in own
    ]


def _major(variables: Mapping[str, str]) -> str:
    """Return 24 of `AWS_Lambda_nodejs24.x`, which no function can set."""
    return variables["AWS_EXECUTION_ENV"].rpartition("nodejs")[2].partition(".")[0]
