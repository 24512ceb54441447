"""How soon a save is live where the folder holds many files: `pilotlight dev`, save by save.

    python -m benchmarks.reload [--files 0,2000,10000] [--saves 7]

Measured from the save to the begin of the first call that the new code answers; prints the best and
the median, since others may share the machine's cores. docs/local.md promises by it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.support.dev_process import DevProcess
from tests.support.platform import write_function

SOURCE = "def handler(event, context):\n    return {version}\n"


def main() -> None:
    """Measure every size and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reload", description=__doc__)
    parser.add_argument("--files", default="0,2000,10000", help="beside the handler")
    parser.add_argument("--saves", type=int, default=7)
    options = parser.parse_args()
    print("| files beside the handler | best, ms | median, ms |\n| --- | --- | --- |")
    for count in map(int, options.files.split(",")):
        seconds = measure(count, options.saves)
        best, median = min(seconds), statistics.median(seconds)
        print(f"| {count:,} | {best * 1000:.0f} | {median * 1000:.0f} |", flush=True)


def measure(count: int, saves: int) -> list[float]:
    """Return how long each save took to be live, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        code = write_function(Path(folder, "fn"), "saved", SOURCE.format(version=0), timeout=30)
        fill(code.parent, count)
        with DevProcess(Path(folder, "fn"), state=Path(folder, "state")) as platform:
            address = f"{platform.endpoint}/2015-03-31/functions/saved/invocations"
            call(address)
            return [save(code, address, version) for version in range(1, saves + 1)]


def fill(folder: Path, count: int) -> None:
    """Write small files, 80 a folder."""
    for number in range(count):
        below = folder / "node_modules" / str(number // 80)
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{number}.js").write_text("x" * 200)


def save(code: Path, address: str, version: int) -> float:
    """Save a version and call until it answers."""
    time.sleep(0.5)  # the last save's own work is over
    code.write_text(SOURCE.format(version=version))
    saved = began = time.monotonic()
    while call(address) != version:
        if time.monotonic() > saved + 60:
            raise TimeoutError(f"version {version} never became live")
        began = time.monotonic()
    return began - saved


def call(address: str) -> int:
    """Call the function."""
    with urllib.request.urlopen(address, data=b"{}") as answer:
        return int(json.load(answer))


if __name__ == "__main__":
    main()
