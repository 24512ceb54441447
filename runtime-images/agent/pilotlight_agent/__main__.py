"""Entry point: `python -m pilotlight_agent`; the way goes on in `agent`.

A pod that prepares for a managed runtime may hold one interpreter, not two: this process becomes
the runtime's interpreter, which loads what functions will want, leaves a fork of itself behind as
the zygote, and then goes on as the agent (docs/decisions/0010-one-interpreter-a-pod.md). So agent,
zygote and environments share the memory of everything that was loaded before.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pilotlight_wire

from . import options
from .options import Options
from .processes import isolation
from .runtimes import family_of

_FIRST_INHERITED = 3


def main() -> None:
    """Run the agent; exits 0 after draining."""
    _close_inherited()
    chosen = options.read(sys.argv[1:])
    with suppress(OSError):  # no such interpreter: functions will say so, one by one
        _become_runtime(chosen, os.environ)
    from . import agent  # noqa: PLC0415 -- costly, and lost in the other process

    agent.run(chosen)


def _close_inherited() -> None:
    """Keep the standard streams only: a zygote forks nobody while strangers' descriptors are open.

    uvloop, on which local mode runs, leaves copies of the streams open in what it starts.
    """
    for descriptor in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
        if descriptor >= _FIRST_INHERITED:
            with suppress(OSError):  # that of the look itself is closed by now
                os.close(descriptor)


def _become_runtime(chosen: Options, environ: Mapping[str, str]) -> None:
    """Become the runtime's interpreter, if it has one of its own; raises OSError."""
    program = family_of(chosen.runtime).pod_program(chosen.places)
    if program is None:
        return
    isolation.isolate()  # the zygote inherits the limits
    command, variables = program
    packages = os.pathsep.join(
        str(Path(part).parent) for part in (__file__, pilotlight_wire.__file__)
    )
    own = {name: value for name, value in environ.items() if name.startswith(options.PREFIX)}
    os.execve(  # noqa: S606 -- no shell is wanted
        command[0],
        [*command, packages, *sys.argv[1:]],
        {**variables, **own},
    )


if __name__ == "__main__":
    main()
