"""Runtimes that bring a bootstrap of their own (`provided.al2023`) and ask for events themselves.

It is the function's, else a layer's, and speaks Lambda's Runtime API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_agent.errors import NotStartableError

from .family import Executed

if TYPE_CHECKING:
    from pilotlight_agent.processes.output import Output
    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .runtime_api import RuntimeApi

_FILE = "bootstrap"


class Bootstrap(Executed):
    """The family of every runtime that no other family claims."""

    prefix = ""
    managed = False

    def start(
        self,
        setting: Setting,
        api: RuntimeApi,
        spawner: Spawner,
        output: Output,
        listener: Listener,
    ) -> tuple[Link, int]:
        """Run the bootstrap; it asks the Runtime API for events."""
        places = setting.places
        candidates = [root / _FILE for root in (places.task_root, places.layers_root)]
        bootstrap = next((path for path in candidates if path.is_file()), None)
        if bootstrap is None:
            names = " ".join(map(str, candidates))
            raise NotStartableError(f"Couldn't find valid bootstrap(s): [{names}]")
        api.attach(listener)
        try:
            argv = (str(bootstrap),)
            return api, spawner.spawn(argv, setting.variables, places.task_root, (output.writer,))
        except OSError as error:
            raise NotStartableError(f"fork/exec {bootstrap}: {error.strerror}") from error
