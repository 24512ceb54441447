"""Keep-alive policies side by side on one synthetic trace, in virtual time: `make policies`.

Everything follows from the seed. Four comparisons: with memory to spare, over functions and over
apps (Azure's unit, which the published figures are of); with half the idle memory that a fixed
keep-alive takes; one run at full size, for the starts per second; and ours against fixed on further
seeds, beside what could be reached.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .simulator.bounds import Bounds, bounds
from .simulator.knative import NAME as KNATIVE
from .simulator.knative import Knative
from .simulator.policies import CLAIRVOYANT, FIXED, GREEDY_DUAL, HYBRID, LRU
from .simulator.pool import Timing
from .simulator.simulation import Cluster, Simulation
from .simulator.trace import APPS, FUNCTIONS, Population, Profile, generate

if TYPE_CHECKING:
    from .simulator.outcome import Outcome

DAY = 86_400.0
MOST_PER_DAY = 1440.0
"""One call a minute. More change nothing for the function, whose environment is warm either way
under every policy here but KPA, and are nearly all of the work."""
POLICIES = {one.name: one for one in (FIXED, HYBRID, LRU, GREEDY_DUAL, CLAIRVOYANT)}
SPARE = (FIXED.name, HYBRID.name, KNATIVE)
SHORT = (FIXED.name, LRU.name, GREEDY_DUAL.name, HYBRID.name, CLAIRVOYANT.name)
HALF = 0.5
"""Of the cold starts of fixed: what is wanted at the 75th percentile."""
DOCS = Path(__file__).parents[1] / "docs"
MARKER = "<!-- simulate -->"
COLOURS = ("#888888", "#d9480f", "#1c7ed6", "#2f9e44")


@dataclass(frozen=True)
class Run:
    """One policy on one trace; policies go by name, because processes exchange runs."""

    policy: str
    population: Population
    count: int
    days: float
    learn_days: float
    seed: int
    cluster: Cluster

    def profiles(self) -> list[Profile]:
        """Return the trace's functions."""
        return generate(self.population, self.count, seed=self.seed)

    def play(self) -> Outcome:
        """Simulate."""
        since, seconds = self.learn_days * DAY, self.days * DAY
        simulation: Knative | Simulation = (
            Knative(Timing(), counted_from=since)
            if self.policy == KNATIVE
            else Simulation(POLICIES[self.policy], self.cluster, Timing(), counted_from=since)
        )
        return simulation.run(self.profiles(), seconds=seconds, most_per_day=MOST_PER_DAY)

    def bounds(self, cold: float) -> Bounds:
        """Bound what any policy needs for that rate at the 75th percentile."""
        return bounds(
            self.profiles(), seconds=self.days * DAY, counted_from=self.learn_days * DAY,
            most_per_day=MOST_PER_DAY, cold=cold,
        )  # fmt: skip


def half_of_idle(run: Run, fixed: Outcome) -> Cluster:
    """Return a cluster with what runs on average, and half of what a fixed keep-alive idles."""
    busy = sum(
        min(one.calls_per_day, MOST_PER_DAY) / DAY * one.mean_seconds * one.megabytes
        for one in run.profiles()
    )
    idle = fixed.wasted_megabyte_seconds / ((run.days - run.learn_days) * DAY)
    return Cluster(1, busy + idle / 2)


def table(outcomes: list[Outcome]) -> str:
    """Lay outcomes out in Markdown; ratios are against the first."""
    first = outcomes[0]
    lines = [
        (
            "| policy | cold starts, 75th percentile | median | all calls | cold seconds "
            "| idle memory | wait p99 | most starts in 1 s |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(outcome, first) for outcome in outcomes]
    return "\n".join(lines)


def _row(outcome: Outcome, first: Outcome) -> str:
    idle = outcome.wasted_gigabyte_seconds
    cells = (
        outcome.policy,
        f"{outcome.cold_rate_at(0.75):.1%}",
        f"{outcome.cold_rate_at(0.5):.1%}",
        f"{outcome.cold_rate:.2%}",
        f"{outcome.cold_seconds:,.0f} s",
        f"{idle / 1e6:.2f} M GB-s ({idle / first.wasted_gigabyte_seconds:.2f}x)",
        f"{outcome.wait_percentile(0.99) * 1000:,.0f} ms",
        str(outcome.most_starts),
    )
    return "| " + " | ".join(cells) + " |"


def chart(title: str, outcomes: list[Outcome]) -> str:
    """Draw the share of functions (upwards) at or below a cold-start rate, as SVG."""
    left, top, width, height = 50, 40, 480, 240
    parts = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 330" '
            'font-family="sans-serif" font-size="12">'
        ),
        '<rect width="560" height="330" fill="white"/>',
        f'<text x="{left}" y="22" font-size="14">{title}</text>',
    ]
    for percent in (0, 25, 50, 75, 100):
        x, y = left + width * percent / 100, top + height * (1 - percent / 100)
        parts += [
            f'<line x1="{left}" y1="{y}" x2="{left + width}" y2="{y}" stroke="#ddd"/>',
            f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{percent}%</text>',
            f'<text x="{x}" y="{top + height + 16}" text-anchor="middle">{percent}%</text>',
        ]
    for index, (outcome, colour) in enumerate(zip(outcomes, COLOURS, strict=False)):
        points = " ".join(
            f"{left + width * outcome.cold_rate_at(step / 200):.1f},"
            f"{top + height * (1 - step / 200):.1f}"
            for step in range(201)
        )
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{left + 165 * index}" y="320" fill="{colour}">{outcome.policy}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def compare(workers: ProcessPoolExecutor, run: Run, policies: tuple[str, ...]) -> list[Outcome]:
    """Play one run once with each policy."""
    return list(workers.map(Run.play, [replace(run, policy=policy) for policy in policies]))


def held_out(workers: ProcessPoolExecutor, run: Run, seeds: list[int]) -> str:
    """Lay out ours against fixed, by seed and unit."""
    lines = [
        (
            "| seed, unit | fixed: 75th percentile | ours: 75th percentile | fewer | ours: idle "
            "memory | cold seconds | never heard of | laws known: memory for half |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for population in (APPS, FUNCTIONS):
        for seed in seeds:
            one = replace(run, population=population, seed=seed)
            bound = workers.submit(one.bounds, HALF)
            fixed, ours = compare(workers, one, (FIXED.name, HYBRID.name))
            lines.append(_held_out_row(one, fixed, ours, bound.result()))
    return "\n".join(lines)


def _held_out_row(run: Run, fixed: Outcome, ours: Outcome, bound: Bounds) -> str:
    before, after = fixed.cold_rate_at(0.75), ours.cold_rate_at(0.75)
    idle = fixed.wasted_gigabyte_seconds
    cells = (
        f"{run.seed}, {run.population.name}",
        f"{before:.1%}",
        f"{after:.1%}",
        f"{before / after:.1f}x",
        f"{ours.wasted_gigabyte_seconds / idle:.2f}x",
        f"{ours.cold_seconds / fixed.cold_seconds:.2f}x",
        f"{bound.unheard:.0%}",
        f"{bound.gigabyte_seconds / idle:.2f}x",
    )
    return "| " + " | ".join(cells) + " |"


def simulate(arguments: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """Run everything; gives the text and the charts by file name."""
    sizes = (arguments.functions, arguments.days, arguments.learn, arguments.seed, Cluster())
    functions = Run(FIXED.name, FUNCTIONS, *sizes)
    apps = Run(FIXED.name, APPS, *sizes)
    full = Run(HYBRID.name, FUNCTIONS, 10_000, 0.25, 0.0, arguments.seed, Cluster(nodes=1000))
    with ProcessPoolExecutor(2) as workers:
        by_app = compare(workers, apps, SPARE)
        by_function = compare(workers, functions, SPARE)
        small = half_of_idle(functions, by_function[0])
        short = compare(workers, replace(functions, cluster=small), SHORT)
        at_size = compare(workers, full, (FIXED.name, HYBRID.name))
        by_seed = held_out(workers, functions, arguments.seeds)
    text = "\n\n".join((
        (f"Seed {arguments.seed}, {arguments.functions} functions or apps, {arguments.days:g} days "
        f"of which the first {arguments.learn:g} only teach; {datetime.now(UTC):%Y-%m-%d}."),
        "**Apps, memory to spare**", table(by_app),
        "**Functions, memory to spare**", table(by_function),
        f"**Functions, {small.megabytes / 1024:.1f} GB in all**", table(short),
        "**10,000 functions on 1,000 nodes, the first six hours**", table(at_size),
        "**Ours against a fixed 10 minutes, by seed**", by_seed,
    ))  # fmt: skip
    title = "Share of {} at or below a cold-start rate"
    charts = {
        "keep-alive-apps.svg": chart(title.format("apps"), by_app),
        "keep-alive-functions.svg": chart(title.format("functions"), by_function),
    }
    return text, charts


def main() -> None:
    """Print the tables; `--write` puts them and the charts into the docs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keep_alive", description=__doc__)
    parser.add_argument("--functions", type=int, default=300)
    parser.add_argument("--days", type=float, default=6)
    parser.add_argument("--learn", type=float, default=2, help="days that are not counted")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument(
        "--seeds", type=int, nargs="*", default=[2026, 3, 4, 5, 6, 7], help="of the last table"
    )
    parser.add_argument("--write", action="store_true", help="into docs/autoscaling.md")
    arguments = parser.parse_args()
    text, charts = simulate(arguments)
    print(text)
    if arguments.write:
        page = DOCS / "autoscaling.md"
        before, _, after = page.read_text().split(MARKER)
        page.write_text(f"{before}{MARKER}\n{text}\n{MARKER}{after}")
        (DOCS / "images").mkdir(exist_ok=True)
        for name, drawing in charts.items():
            (DOCS / "images" / name).write_text(drawing)


if __name__ == "__main__":
    main()
