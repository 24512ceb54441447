"""When the calls of one function come: a renewal process with a mean and a variation.

The variation (standard deviation over mean of the time between calls) is what Azure's figures give.
Below 1 a gamma distribution has it; above 1 calls come in bursts, as an interrupted Poisson
process. A week's rhythm stretches the whole. `trace` draws mean and variation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

__all__ = ["DAY", "RHYTHM", "moments"]

HOUR = 3600.0
DAY = 24 * HOUR
BURST_GAP = 10.0
"""Mean seconds between the calls of a burst; a tenth of the mean gap where that is shorter."""
REGULAR = 1e-3
"""A variation below which calls come like a clock's."""

_HOURS = [
    (1 + 0.15 * math.sin(2 * math.pi * hour / 24)) * (1 if hour < 5 * 24 else 0.93)
    for hour in range(7 * 24)
]
RHYTHM = [level * len(_HOURS) / sum(_HOURS) for level in _HOURS]
"""Load of each hour of a week, on average 1: days swing within 0.8 to 1.2, weekends lie lower."""


def moments(dice: random.Random, mean: float, variation: float, *, timer: bool) -> Iterator[float]:
    """Return the seconds at which calls come, for ever; clocks know no rhythm."""
    if variation < REGULAR:
        return _clock(dice, mean)
    gaps = _gamma(dice, mean, variation) if variation < 1 else _bursts(dice, mean, variation)
    return _running(gaps) if timer else _with_rhythm(gaps)


def _clock(dice: random.Random, mean: float) -> Iterator[float]:
    now = dice.random() * mean
    while True:
        yield now
        now += mean


def _running(gaps: Iterator[float]) -> Iterator[float]:
    now = 0.0
    for gap in gaps:
        now += gap
        yield now


def _with_rhythm(gaps: Iterator[float]) -> Iterator[float]:
    now = 0.0
    for gap in gaps:
        left = gap
        # Hours pass faster the more load they have.
        while True:
            level = RHYTHM[int(now / HOUR) % len(RHYTHM)]
            until_next = (int(now / HOUR) + 1) * HOUR - now
            if left <= until_next * level:
                break
            left -= until_next * level
            now += until_next
        now += left / level
        yield now


def _gamma(dice: random.Random, mean: float, variation: float) -> Iterator[float]:
    shape = 1 / variation**2
    scale = mean / shape
    # The watch begins at a random moment, so it is likelier to begin within a long gap.
    yield dice.gammavariate(shape + 1, scale) * dice.random()
    while True:
        yield dice.gammavariate(shape, scale)


def _bursts(dice: random.Random, mean: float, variation: float) -> Iterator[float]:
    short, long, pause = _burst_shape(mean, variation)
    # As above: a random moment lies in a pause by the pauses' share of the time.
    in_pause = dice.random() < pause * long / mean
    yield dice.expovariate(1 / (long if in_pause else short))
    while True:
        yield dice.expovariate(1 / (long if dice.random() < pause else short))


def _burst_shape(mean: float, variation: float) -> tuple[float, float, float]:
    """Return the mean gap in a burst, the mean pause, and the share of gaps that are pauses.

    Two exponential gaps with the wanted mean m and second moment (c² + 1) m² together.
    """
    short = min(BURST_GAP, mean / 10)
    half_second_moment = (variation**2 + 1) * mean**2 / 2
    long = (half_second_moment - short**2) / (mean - short) - short
    return short, long, (mean - short) / (long - short)
