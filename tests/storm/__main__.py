"""`make storm`, `faults`, `scale`, `neighbours`: on a given cluster, by a platform of their own."""

from __future__ import annotations

import os
import sys

from tests.support.cluster import installed, kubectl

from .faults import run_faults
from .neighbours import run_neighbours
from .scale import run_scale
from .storm import run_storm


def main(*which: str) -> int:
    """Run what is named; returns the exit status."""
    with installed() as platform:
        results = []
        if "storm" in which:
            results.append(run_storm(platform))
        if "faults" in which:
            seed, count = int(os.environ.get("SEED", "1")), int(os.environ.get("FAULTS", "20"))
            events = float(os.environ.get("EVENTS", "10"))
            results.append(run_faults(platform, seed, count, events))
        if "scale" in which:
            results.append(run_scale(platform))
        if "neighbours" in which:
            results.append(run_neighbours(platform, int(os.environ.get("FLOOD", "10000"))))
        if not all(one.holds for one in results):
            sys.stdout.write(platform.logs())
            sys.stdout.write(kubectl("get", "events", "-n", platform.namespace))
    for one in results:
        one.publish()
    return 0 if results and all(one.holds for one in results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
