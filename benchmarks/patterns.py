"""Matches a second of an event pattern with three fields, on events as EventBridge sends them.

One in two events matches. Parsing the events is not measured: whoever filters has parsed them.
"""

from __future__ import annotations

import argparse
import statistics
import time

from pilotlight.patterns import compile_pattern

BAR = 20_000
"""Matches a second."""
PATTERN = """{
  "source": ["aws.ec2"],
  "detail-type": [{"prefix": "EC2 Instance"}],
  "detail": {"state": [{"anything-but": ["pending", "running"]}]}
}"""


def _event(state: str) -> dict[str, object]:
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "111122223333",
        "time": "2026-11-28T18:43:48Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:ec2:eu-central-1:111122223333:instance/i-1234567890abcdef0"],
        "detail": {"instance-id": "i-1234567890abcdef0", "state": state},
    }


def _rate(matches: int) -> float:
    """Match events in turns; returns matches a second."""
    pattern = compile_pattern(PATTERN)
    events = [_event("terminated"), _event("running")]
    began = time.perf_counter()
    held = sum(pattern.matches(events[number % 2]) for number in range(matches))
    elapsed = time.perf_counter() - began
    if held != (matches + 1) // 2:
        raise RuntimeError(f"{held} of {matches} events matched, every second should")
    return matches / elapsed


def main() -> None:
    """Measure and print the median."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.patterns", description=__doc__)
    parser.add_argument("--matches", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rates = [_rate(given.matches) for _ in range(given.rounds)]
    print(
        f"{statistics.median(rates):,.0f} matches a second (at least {BAR:,}), median of", end=" "
    )
    print(f"{given.rounds} rounds from {min(rates):,.0f} to {max(rates):,.0f}")


if __name__ == "__main__":
    main()
