"""What a warm call's processes cost with nothing in them: `python -m benchmarks.bare [--write]`.

Between the platform and functions-framework stand processes that only hand bytes on
(`handlers/bare.py`): without an agent, and with one of three kinds. What ours takes beyond them is
what Pilotlight does for a call; what they take is the machine's.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from .run import parser, publish, run, table
from .targets import HERE, Target, free_port, functions_framework, pilotlight

MARKER = "<!-- bare -->"
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


def main() -> None:
    """Measure and print; `--write` puts the table into docs/performance.md."""
    options = parser("bare", __doc__).parse_args()
    ours, _ = pilotlight()
    targets = [ours, functions_framework(), *(bare(*one) for one in KINDS.items())]
    try:
        for target in targets:
            target.start()
        text = table(targets, run(targets, 1, options.rounds, options.seconds), 1)
    finally:
        for target in targets:
            target.stop()
    print(text)
    if options.write:
        command = f"python -m benchmarks.bare --rounds {options.rounds}"
        publish(MARKER, f"{datetime.now(UTC).date()}, `{command}`.\n\n{text}")


if __name__ == "__main__":
    main()
