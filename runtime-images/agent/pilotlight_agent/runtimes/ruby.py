"""Managed Ruby: `pilotlight_ruby`, started by exec; `frames` is how it is spoken with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .character_set import with_utf_8
from .family import Executed, installed
from .variables import RUNTIME_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_agent.places import Places
    from pilotlight_agent.processes.output import Output
    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .runtime_api import RuntimeApi


class Ruby(Executed):
    """The family of `ruby3.3`."""

    prefix = "ruby"
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
        variables = with_utf_8(_search_path(setting.variables, setting.places))
        setting = replace(setting, variables=variables)
        command = (str(setting.places.interpreter), installed("pilotlight_ruby", "main.rb"))
        return frames.start(setting, spawner, output, listener, command)


def _search_path(variables: Mapping[str, str], places: Places) -> Mapping[str, str]:
    """Add where gems and libraries are looked for that are not beside the code.

    Source: AWS Lambda Developer Guide, "Search path for Ruby" and "Using layers for Ruby".
    """
    task, layers = places.task_root, f"{places.layers_root}/ruby"
    abi = f"{_version(variables)}.0"
    return {
        "GEM_PATH": f"{task}/vendor/bundle/ruby/{abi}:{layers}/gems/{abi}",
        "RUBYLIB": f"{task}:{RUNTIME_FOLDER}/lib:{layers}/lib",
        **variables,
    }


def _version(variables: Mapping[str, str]) -> str:
    """Return 3.3 of `AWS_Lambda_ruby3.3`, which no function can set."""
    return variables["AWS_EXECUTION_ENV"].rpartition("ruby")[2]
