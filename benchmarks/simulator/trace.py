"""A synthetic trace like Azure's of 2019: who calls what, how often, and for how long.

Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020), and the figures of the notebooks in
Azure/AzurePublicDataset. Everything comes from one seed. Nothing here knows a policy: the trace was
fixed before one ran on it. `simulation` plays it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .arrivals import DAY, moments
from .distributions import Cumulative

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["APPS", "FUNCTIONS", "Call", "Population", "Profile", "generate"]

STEPS = (24.0, 48.0, 96.0, 288.0, 1440.0)
"""Calls per day at which timers stand."""
SLOWEST_TIMER = 10.0
"""Below that many calls a day nothing is a timer; those above are moved up to the next step."""
TAIL_EXPONENT = 0.85
"""Of the Pareto tail above one call a second. Of 10,000 functions the most popular tenth of a per
cent then has 69 % of the calls, the most popular per cent 90 % (the figures: 64-70, 92)."""
EVERY_SECOND = 86_400.0


@dataclass(frozen=True)
class Population:
    """What is counted as one: a function, or an app, Azure's unit of keep-alive."""

    name: str
    calls_per_day: Cumulative
    timers: float
    """Share of all that is called by a timer."""


FUNCTIONS = Population(
    "functions",
    Cumulative((
        (0.1, 0.0), (1, 0.34), (10, 0.56), (24, 0.64), (96, 0.74), (288, 0.83), (1440, 0.92),
        (1e4, 0.967), (EVERY_SECOND, 0.99),
    )),
    timers=0.16,
)  # fmt: skip
APPS = Population(
    "apps",
    Cumulative((
        (0.1, 0.0), (1, 0.21), (24, 0.45), (288, 0.66), (1440, 0.83), (1e4, 0.925),
        (EVERY_SECOND, 0.99),
    )),
    timers=0.16,
)  # fmt: skip

VARIATION = Cumulative(
    ((0.0, 0.11), (0.1, 0.11), (1, 0.35), (2, 0.54), (4, 0.75), (6, 0.84), (10, 0.92), (20, 1.0))
)
"""Coefficient of variation of the time between calls, without timers."""
VARIATION_OF_TIMERS = Cumulative(((0.0, 0.5), (0.1, 0.5), (1, 0.93), (10, 1.0)))
MEAN_SECONDS = Cumulative(((0.01, 0.0), (0.1, 0.15), (1, 0.52), (10, 0.84), (60, 0.96), (300, 1.0)))
LONGEST_SECONDS = Cumulative(((0.02, 0.0), (1, 0.27), (10, 0.67), (60, 0.89), (900, 1.0)))
"""The longest a call of a function takes; 900 s is where Lambda ends it."""

INIT_SECONDS = {
    "rust": 0.016, "cpp": 0.016, "go": 0.050, "python3.13": 0.085, "nodejs22": 0.140,
    "java17": 0.207, "ruby3.4": 0.221, "java21": 0.240, "dotnet8": 0.253,
}  # fmt: skip
"""Median start of a runtime with nothing in it (maxday/lambda-perf, August 2026)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A function as the trace has it."""

    runtime: str
    calls_per_day: float
    variation: float
    mean_seconds: float
    longest_seconds: float
    megabytes: float
    timer: bool
    seed: int

    @property
    def init_seconds(self) -> float:
        """How long its runtime takes to start in a pod that is there."""
        return INIT_SECONDS[self.runtime]

    def calls(self, *, seconds: float, most_per_day: float = math.inf) -> Iterator[Call]:
        """Return the calls of the first `seconds`, at most `most_per_day` on average."""
        dice = random.Random(self.seed)
        rate = min(self.calls_per_day, most_per_day)
        # U^k has the mean 1 / (k + 1) and the maximum 1.
        exponent = self.longest_seconds / self.mean_seconds - 1
        for moment in moments(dice, DAY / rate, self.variation, timer=self.timer):
            if moment >= seconds:
                return
            yield Call(moment, self.longest_seconds * dice.random() ** exponent)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when it comes, and how long it runs."""

    at: float
    seconds: float


def generate(population: Population, count: int, *, seed: int) -> list[Profile]:
    """Draw the functions of a trace.

    Rates are drawn one from each of `count` equal slices of the distribution: the few that make
    nearly all calls would otherwise be there or not by chance.
    """
    dice = random.Random(seed)
    shares = [(index + 0.5) / count for index in range(count)]
    dice.shuffle(shares)
    return [_profile(dice, population, share) for share in shares]


def _profile(dice: random.Random, population: Population, share: float) -> Profile:
    rate = _rate(population, share)
    timer = SLOWEST_TIMER < rate <= STEPS[-1] and dice.random() < _odds_of_timer(population)
    variation = VARIATION_OF_TIMERS if timer else VARIATION
    length = dice.random()
    return Profile(
        runtime=dice.choice(list(INIT_SECONDS)),
        calls_per_day=next(step for step in STEPS if rate <= step) if timer else rate,
        variation=variation.quantile(dice.random()),
        mean_seconds=MEAN_SECONDS.quantile(length),
        longest_seconds=LONGEST_SECONDS.quantile(length),
        megabytes=_megabytes(dice.random()),
        timer=timer,
        seed=dice.getrandbits(64),
    )


def _rate(population: Population, share: float) -> float:
    known = population.calls_per_day.points[-1][1]
    if share <= known:
        return population.calls_per_day.quantile(share)
    return EVERY_SECOND * math.pow((1 - share) / (1 - known), -1 / TAIL_EXPONENT)


def _odds_of_timer(population: Population) -> float:
    """Return the odds that something whose rate a timer could have is one."""
    share = population.calls_per_day.share
    return population.timers / (share(STEPS[-1]) - share(SLOWEST_TIMER))


def _megabytes(share: float) -> float:
    """Draw the memory: Burr XII, with the parameters fitted to Azure's allocated megabytes."""
    return 107.083 * math.pow(math.pow(1 - share, -1 / 0.221) - 1, 1 / 11.652)
