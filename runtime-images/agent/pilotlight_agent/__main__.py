"""Entry point: `python -m pilotlight_agent`; the way goes on in `agent`.

A pod that prepares for managed Python holds one interpreter, not two: this process becomes the
runtime's interpreter, which loads what functions will want, leaves a fork of itself behind as the
zygote, and then goes on as the agent (docs/decisions/0010-one-interpreter-a-pod.md). So agent,
zygote and environments share the memory of everything that was loaded before.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pilotlight_wire
from pilotlight_agent import isolation, managed_python, options
from pilotlight_agent.options import Options

_POD = "--pod"
_FIRST_INHERITED = 3


def main() -> None:
    """Run the agent; exits 0 after draining."""
    _close_inherited()
    chosen = options.read(sys.argv[1:])
    if managed_python.is_managed(chosen.runtime):
        isolation.isolate()  # the zygote inherits the limits
        with suppress(OSError):  # no such interpreter: functions will say so, one by one
            _become_runtime(chosen, os.environ)
    from pilotlight_agent import agent  # noqa: PLC0415 -- costly, and lost in the other process

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
    """Give this process to the runtime's interpreter; returns only by OSError."""
    command = managed_python.command(chosen.places.python)
    packages = os.pathsep.join(
        str(Path(part).parent) for part in (__file__, pilotlight_wire.__file__)
    )
    own = {name: value for name, value in environ.items() if name.startswith(options.PREFIX)}
    os.execve(  # noqa: S606 -- no shell is wanted
        command[0],
        [*command, _POD, packages, *sys.argv[1:]],
        managed_python.zygote_variables(chosen.places) | own,
    )


if __name__ == "__main__":
    main()
