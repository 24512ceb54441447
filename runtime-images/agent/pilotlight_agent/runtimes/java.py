"""Managed Java: AWS's own runtime client, which asks the Runtime API for events.

`pilotlight_java` makes the folder around the interpreter: jars, archive of classes, options.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pilotlight_agent.errors import NotStartableError
from pilotlight_agent.processes import log_frames

from .character_set import with_utf_8
from .family import Executed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .runtime_api import RuntimeApi

_LAYERS = "/opt"
"""Where the client looks for layers, wherever they are."""


class Java(Executed):
    """The family of `java21`."""

    prefix = "java"
    managed = True
    defaults: Mapping[str, str] = MappingProxyType({log_frames.VARIABLE: "1"})
    """Its log entries are frames on standard output."""

    def load(self) -> None:
        """Import what a start needs."""
        from . import wrapped  # noqa: F401, PLC0415 -- see `family`

    def start(
        self, setting: Setting, api: RuntimeApi, spawner: Spawner, output: int, listener: Listener
    ) -> tuple[Link, int]:
        """Run the client; it asks the Runtime API for events."""
        from .wrapped import wrapper_of  # noqa: PLC0415 -- see `family`

        argv, variables = _command(setting), with_utf_8(setting.variables)
        api.attach(listener, holds_errors=True)
        try:
            pid = spawner.spawn(
                (*wrapper_of(setting), *argv), variables, setting.places.task_root, (output,)
            )
        except OSError as error:
            raise NotStartableError(str(error)) from error
        return api, pid


def _command(setting: Setting) -> Sequence[str]:
    """Return what runs the function; NotStartableError where the interpreter is only a Java."""
    places = setting.places
    library = places.interpreter.parent.parent / "lib"
    if not (library / "options").is_file():
        raise NotStartableError(f"the managed Java runtime is not installed in {library}")
    jars = [*sorted(library.glob("*.jar")), *_layers(places.layers_root)]
    return (
        *(str(places.interpreter), *_sizes(setting.memory), *_temporary(setting)),
        *("-classpath", ":".join(map(str, jars))),
        *(f"@{library / 'options'}", setting.variables["_HANDLER"]),
    )


def _sizes(memory: int) -> tuple[str, ...]:
    """Return the bounds of what Java manages, for a function of so many MB, as Lambda's are."""
    return f"-XX:MaxHeapSize={memory * 870}k", f"-XX:ReservedCodeCacheSize={max(memory // 10, 16)}m"


def _temporary(setting: Setting) -> tuple[str, ...]:
    """Name the folder for temporary files where it is not /tmp: Java reads no TMPDIR."""
    folder = setting.variables.get("TMPDIR", "")
    ours = folder.startswith(str(setting.places.temporary))
    return (f"-Djava.io.tmpdir={folder}",) if ours else ()


def _layers(root: Path) -> Sequence[Path]:
    """Return the layers' jars where the client does not look for them: it knows /opt only."""
    return [] if str(root) == _LAYERS else sorted((root / "java" / "lib").glob("*.jar"))
