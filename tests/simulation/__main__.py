"""`make simulate`: run many seeds, or one with all that happens: FIRST [COUNT]."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor

from .simulation import run


def main(first: int, count: int = 1) -> int:
    """Run seeds from the first on; returns the exit status."""
    began, failed, calls, events = time.monotonic(), 0, 0, 0
    with ProcessPoolExecutor() as processes:
        for outcome in processes.map(run, range(first, first + count)):
            calls, events = calls + outcome.calls, events + outcome.events
            if count == 1:
                _say(*outcome.trace)
            if outcome.violations:
                failed += 1
                _say(f"seed {outcome.seed}:", *(f"  {one}" for one in outcome.violations[:4]))
    seconds = time.monotonic() - began
    _say(f"{count} seeds, {calls} calls, {events} events, {failed} failed, {seconds:.0f} s")
    return 1 if failed else 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
