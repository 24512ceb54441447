"""Managed Python: `pilotlight_python`, started by exec or by the fork of a zygote.

It is run by its path, by another interpreter perhaps, and never imported here. `frames` is how the
agent speaks with it, `zygote_spawner` decides when a fork is as good as a start.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from .variables import LOG_STREAM, RUNTIME_FOLDER, defaults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pilotlight_agent.journal import Journal
    from pilotlight_agent.places import Places
    from pilotlight_agent.processes.output import Output
    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .prepared import Expected
    from .runtime_api import RuntimeApi
    from .zygote import Born

_POD = "--pod"
_MARK_SIZE = 128


class Python:
    """The family of `python3.x`."""

    prefix = "python"
    managed = True
    process_per_call = True
    defaults: Mapping[str, str] = MappingProxyType({"PYTHONPATH": RUNTIME_FOLDER})

    def pod_program(self, places: Places) -> tuple[Sequence[str], Mapping[str, str]]:
        """Return the runtime's interpreter, which leaves a zygote behind and goes on as the agent.

        FileNotFoundError where the runtime is not installed.
        """
        return (*command(places.interpreter), _POD), zygote_variables(places)

    def load(self) -> None:
        """Import both ways of starting it."""
        from . import frames, zygote_spawner  # noqa: F401, PLC0415 -- see `family`

    def spawner(
        self,
        expected: Expected,  # noqa: ARG002 -- a fork takes what memory its function has
        places: Places, plain: Spawner, journal: Journal, born: Born | None,
    ) -> Spawner:  # fmt: skip
        """Fork from a zygote where nobody can tell the difference."""
        from .zygote_spawner import ZygoteSpawner  # noqa: PLC0415 -- see `family`

        return ZygoteSpawner(
            command(places.interpreter),
            zygote_variables(places),
            plain=plain,
            journal=journal,
            born=born,
        )

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
        places, behind = setting.places, (str(setting.places.layers_root),)
        interpreter = command(places.interpreter)
        return frames.start(setting, spawner, output, listener, interpreter, behind=behind)


@cache
def command(interpreter: Path) -> tuple[str, ...]:
    """Return what runs the managed runtime; a descriptor and the layers' folder follow.

    FileNotFoundError when the runtime is not installed where this interpreter would import it from.
    """
    found = find_spec("pilotlight_python")
    if found is None or found.origin is None:
        raise FileNotFoundError("the managed Python runtime is not installed")
    return str(interpreter), "-u", str(Path(found.origin).parent)


def zygote_variables(places: Places) -> dict[str, str]:
    """Return what a function finds that sets nothing of its own, and room for its mark.

    By the mark `tree` knows a forked process; a zygote is nobody's.
    """
    mark = {LOG_STREAM: "-" * _MARK_SIZE}
    return defaults(places, places.temporary) | dict(Python.defaults) | mark
