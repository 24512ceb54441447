"""What a warm call's processes cost with nothing in them: `python -m benchmarks.bare [--write]`.

Between the platform and functions-framework stand processes that only hand bytes on
(`handlers/bare.py`): without an agent, and with one of three kinds. What ours takes beyond them is
what Pilotlight does for a call; what they take is the machine's.
"""

from __future__ import annotations

import sys

from .run import compare
from .targets import HERE, Target, free_port, functions_framework, pilotlight

KINDS = {
    "gateway and runtime": (),
    "…an agent on asyncio between": ("asyncio",),
    "…an agent on uvloop": ("uvloop",),
    "…an agent that polls": ("poll",),
}


def bare(name: str, kind: tuple[str, ...]) -> Target:
    """Processes that do nothing else."""
    port = free_port()
    command = [sys.executable, str(HERE / "handlers" / "bare.py"), str(port), *kind]
    return Target(name, command, port)


def targets() -> list[Target]:
    """Return what is measured."""
    return [pilotlight()[0], functions_framework(), *(bare(*one) for one in KINDS.items())]


if __name__ == "__main__":
    compare("bare", __doc__, targets, (1,))
