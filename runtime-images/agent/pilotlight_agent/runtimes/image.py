"""Functions that are container images: their own process speaks Lambda's Runtime API.

The agent runs in the image, and brings along what it needs (`runtime-images/container-image`). What
is to be started the platform knows (`ImageProcess`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight_agent.errors import NotStartableError, NoWorkingDirectoryError

from .family import Executed

if TYPE_CHECKING:
    from pilotlight_agent.processes.output import Output
    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .runtime_api import RuntimeApi


class Image(Executed):
    """The family of `container-image`, which stands for whatever the image has in it."""

    prefix = "container-image"
    managed = False

    def start(
        self,
        setting: Setting,
        api: RuntimeApi,
        spawner: Spawner,
        output: Output,
        listener: Listener,
    ) -> tuple[Link, int]:
        """Run the entry point; it asks the Runtime API for events."""
        if setting.image is None:
            raise NotStartableError("the pod was made of no image of the function's")
        argv = setting.image.argv
        # Where the pod's container began is where the image says that it should.
        folder = Path(setting.image.working_directory or Path.cwd())
        if not folder.is_dir():
            raise NoWorkingDirectoryError(f"chdir to {folder}: no such folder in the image")
        api.attach(listener)
        try:
            return api, spawner.spawn(argv, setting.variables, folder, (output.writer,))
        except OSError as error:
            raise NotStartableError(f"fork/exec {argv[0]}: {error.strerror}") from error
