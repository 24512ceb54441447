"""How the managed Python runtime is started: as an environment, as a zygote, as a whole pod.

It is `pilotlight_python`, which is run by its path, by another interpreter perhaps, and never
imported here.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pilotlight_agent.variables import LOG_STREAM, Places, defaults

__all__ = ["command", "is_managed", "zygote_variables"]

_MARK_SIZE = 128


def is_managed(runtime: str) -> bool:
    """Whether a runtime is ours."""
    return runtime.startswith("python")


@cache
def command(python: Path) -> tuple[str, ...]:
    """Give the command that runs the managed runtime; a descriptor and the layers' folder follow.

    FileNotFoundError when the runtime is not installed where this interpreter would import it from.
    """
    found = find_spec("pilotlight_python")
    if found is None or found.origin is None:
        raise FileNotFoundError("the managed Python runtime is not installed")
    return str(python), "-u", str(Path(found.origin).parent)


def zygote_variables(places: Places) -> dict[str, str]:
    """Give what a function finds that sets nothing of its own, and room for an environment's mark.

    By the mark `tree` knows a forked process; a zygote is nobody's.
    """
    return defaults(places, places.temporary) | {LOG_STREAM: "-" * _MARK_SIZE}
