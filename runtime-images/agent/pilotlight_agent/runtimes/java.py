"""Managed Java: AWS's own runtime client, which asks the Runtime API for events.

`pilotlight_java` makes the folder around the interpreter: jars, archive of classes, options.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from pilotlight_agent.errors import NotStartableError
from pilotlight_agent.places import TEMPORARY
from pilotlight_agent.processes import log_frames

from .character_set import with_utf_8
from .family import Executed
from .variables import defaults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pilotlight_agent.journal import Journal
    from pilotlight_agent.places import Places
    from pilotlight_agent.processes.output import Output
    from pilotlight_agent.processes.spawner import Spawner

    from .family import Setting
    from .link import Link, Listener
    from .prepared import Expected
    from .runtime_api import RuntimeApi
    from .zygote import Born

_MAIN = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
_WAITING = "dev.pilotlight.Waiting"
_WAITING_JAR = "waiting.jar"
_READ_AT_START = re.compile("JAVA_|JDK_|_JAVA_|LD_|LC_|LANG|TZ$|MALLOC_|GLIBC_")
"""What Java, its libraries or the loader read once."""
_SIZES = {64: 60, 256: 40, 1_024: 16, 4_352: 4}
_ROOM = tuple(size for size, count in _SIZES.items() for _ in range(count))
"""Bytes of variables in whose place those of a function are written."""
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
        from . import prepared, wrapped  # noqa: F401, PLC0415 -- see `family`

    def start(
        self,
        setting: Setting,
        api: RuntimeApi,
        spawner: Spawner,
        output: Output,
        listener: Listener,
    ) -> tuple[Link, int]:
        """Run the client; it asks the Runtime API for events."""
        from .prepared import PreparedSpawner  # noqa: PLC0415 -- see `family`
        from .wrapped import wrapper_of  # noqa: PLC0415

        variables, folder = with_utf_8(setting.variables), setting.places.task_root
        own = _command(setting.places, setting.memory)
        command = (*wrapper_of(setting), *own, *_temporary(setting))
        api.attach(listener, holds_errors=True)
        if isinstance(spawner, PreparedSpawner):
            prepared = spawner.take(command, variables, folder)
            if prepared is not None:
                output.adopt(prepared.output)
                return api, prepared.pid
        argv = (*command, _MAIN, variables["_HANDLER"])
        try:
            return api, spawner.spawn(argv, variables, folder, (output.writer,))
        except OSError as error:
            raise NotStartableError(str(error)) from error

    def spawner(
        self,
        expected: Expected,
        places: Places,
        plain: Spawner,
        journal: Journal,  # noqa: ARG002 -- the family's signature
        born: Born | None,  # noqa: ARG002 -- the family's signature
    ) -> Spawner:
        """Have a process wait that fits functions of the size that is expected.

        Not in local mode, where none would have the folder for temporary files that it is to have.
        """
        from .prepared import PreparedSpawner, Recipe  # noqa: PLC0415 -- see `family`

        library = places.interpreter.parent.parent / "lib"
        parts = (library / name for name in (_WAITING_JAR, "options"))
        fits = bool(expected.memory) and places.temporary == TEMPORARY
        if not fits or not all(part.exists() for part in parts):
            return plain
        variables = with_utf_8(defaults(places, places.temporary) | dict(self.defaults))
        command = _command(places, expected.memory)
        recipe = Recipe(
            command, (_WAITING,), variables, _READ_AT_START,
            has_channel=False, room=_ROOM, folder=places.task_root,
        )  # fmt: skip
        return PreparedSpawner(recipe, plain)


def _command(places: Places, memory: int) -> tuple[str, ...]:
    """Return what runs a function of so many MB; its own options and what is run follow.

    NotStartableError where the interpreter is only a Java.
    """
    library = places.interpreter.parent.parent / "lib"
    if not (library / "options").is_file():
        raise NotStartableError(f"the managed Java runtime is not installed in {library}")
    jars = [*sorted(library.glob("*.jar")), *_layers(places.layers_root)]
    return (
        *(str(places.interpreter), *_sizes(memory)),
        *("-classpath", ":".join(map(str, jars)), f"@{library / 'options'}"),
    )


def _sizes(memory: int) -> tuple[str, ...]:
    """Return the bounds of what Java manages, for a function of so many MB, as Lambda's are."""
    return f"-XX:MaxHeapSize={memory * 870}k", f"-XX:ReservedCodeCacheSize={max(memory // 10, 16)}m"


def _temporary(setting: Setting) -> tuple[str, ...]:
    """Name the folder for temporary files where it is not /tmp: Java reads no TMPDIR.

    It keeps what it is started with, so that nobody waits for a function with a folder of its own.
    """
    folder = setting.variables.get("TMPDIR", "")
    ours = folder.startswith(str(setting.places.temporary))
    return (f"-Djava.io.tmpdir={folder}",) if ours else ()


def _layers(root: Path) -> Sequence[Path]:
    """Return the layers' jars where the client does not look for them: it knows /opt only."""
    return [] if str(root) == _LAYERS else sorted((root / "java" / "lib").glob("*.jar"))
