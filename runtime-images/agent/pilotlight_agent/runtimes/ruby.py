"""Managed Ruby: `pilotlight_ruby`, one process ahead; `frames` is how it is spoken with."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .character_set import with_utf_8
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


_WAITS = "--wait"
_READ_AT_START = re.compile("RUBY|GEM_|BUNDLE_|LD_|LC_|LANG|TZ$|MALLOC_|GLIBC_")
"""What Ruby, RubyGems or the loader read once."""


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
        return frames.start(setting, spawner, output, listener, _command(setting.places))

    def spawner(
        self,
        expected: Expected,
        places: Places,
        plain: Spawner,
        journal: Journal,  # noqa: ARG002 -- the family's signature
        born: Born | None,  # noqa: ARG002 -- the family's signature
    ) -> Spawner:
        """Have a process wait, for a function of whatever size."""
        from .prepared import PreparedSpawner, Recipe  # noqa: PLC0415 -- see `family`

        own = {"AWS_EXECUTION_ENV": f"AWS_Lambda_{expected.runtime}"}
        variables = with_utf_8(_search_path(defaults(places, places.temporary) | own, places))
        recipe = Recipe(_command(places), (_WAITS,), variables, _READ_AT_START, has_channel=True)
        return PreparedSpawner(recipe, plain)


def _command(places: Places) -> tuple[str, ...]:
    """Return what runs a function; the descriptor of its channel follows."""
    return str(places.interpreter), installed("pilotlight_ruby", "main.rb")


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
