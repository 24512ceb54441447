"""Verdicts of AWS's event-ruler on generated patterns and events.

`make patterns` asks it anew. That needs a JDK 17 and Maven Central; the tests that replay what it
said need neither.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import urllib.request
from pathlib import Path

from .pattern_pairs import pairs

__all__ = ["VERDICTS", "Verdict", "verdicts"]

VERDICTS = Path(__file__).parents[1] / "core" / "patterns" / "verdicts.jsonl.gz"
COUNT = 10_000
SEED = 13
MAVEN = "https://repo1.maven.org/maven2"
JARS = (
    "software/amazon/event/ruler/event-ruler/2.1.0/event-ruler-2.1.0.jar",
    "com/fasterxml/jackson/core/jackson-core/2.20.1/jackson-core-2.20.1.jar",
    "com/fasterxml/jackson/core/jackson-databind/2.20.1/jackson-databind-2.20.1.jar",
    "com/fasterxml/jackson/core/jackson-annotations/2.20/jackson-annotations-2.20.jar",
    "ch/randelshofer/fastdoubleparser/2.0.1/fastdoubleparser-2.0.1.jar",
)
CACHE = Path.home() / ".cache" / "pilotlight-tests" / "event-ruler"

Verdict = tuple[str, str, bool | None]
"""A pattern, an event, and whether they match; None where the pattern is refused."""


def verdicts() -> list[Verdict]:
    """Read what event-ruler said."""
    lines = gzip.decompress(VERDICTS.read_bytes()).decode().splitlines()
    return [tuple(json.loads(line)) for line in lines]


def _ask(asked: list[tuple[str, str]]) -> list[bool | None]:
    jars = [_jar(path) for path in JARS]
    source = Path(__file__).with_name("EventRulerVerdicts.java")
    ran = subprocess.run(
        ["java", "-Xmx256m", "-cp", ":".join(map(str, jars)), str(source)],
        input="".join(f"{pattern}\n{event}\n" for pattern, event in asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def _jar(path: str) -> Path:
    kept = CACHE / Path(path).name
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(f"{MAVEN}/{path}", timeout=60) as answer:
            kept.write_bytes(answer.read())
    return kept


def main() -> None:
    """Write the verdicts anew."""
    asked = pairs(SEED, COUNT)
    lines = [
        json.dumps([pattern, event, verdict])
        for (pattern, event), verdict in zip(asked, _ask(asked), strict=True)
    ]
    VERDICTS.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


if __name__ == "__main__":
    main()
