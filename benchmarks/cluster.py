"""Capacity on a real cluster: first calls, bursts, an emptied pool, starvation, idle cost.

Installs the chart (KUBECONFIG, the images of `make images`) and measures on its NodePort, one part
after the other, on a cluster that does nothing else. Ratios are of one run. `fresh` makes and calls
functions, `nodes` reads what pods use. Functions of 1,770 MB do not fit a generic pod, so the same
platform makes them pods of their own: that is the baseline.

    python -m benchmarks.cluster [PART…] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pilotlight_agent.processes import tree
from tests.runtimes.languages import JAVA, RUBY, Language
from tests.support.cluster import Installation, installed, kubectl, wait_until
from tests.support.node_processes import processes

from .fresh import ECHO, First, Platform
from .nodes import COMPILED_RUNTIME, RUNTIME, Pools, cpu_seconds, megabytes
from .run import publish
from .targets import call, functions_framework

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MARKER = "<!-- cluster -->"
LANGUAGES = (
    Language("python3.13", "", ""), Language("nodejs24.x", "", ""), JAVA, RUBY,
)  # fmt: skip
OWN_POD = 1770
"""Megabytes beyond the generic size class."""
SLOW = "import time\n\ndef handler(event, context):\n    time.sleep(1)\n    return event\n"
LIBRARY = "".join(
    f"def function_{number}(a, b):\n    return [a, b, {number}, 'text {number}']\n"
    for number in range(6_000)
)
"""As much source as a few dependencies have: 400 kB."""
COMPILED = """
with open(__cached__, "rb") as bytecode:
    assert bytecode.read(8)[4:] == b"\\1\\0\\0\\0", "compiled by this environment"
"""
STEP = 50
SHARED = 10
"""Environments that share a pod where a function lets them."""
Row = tuple[str, str]


class Capacity:
    """The measurements, each of which gives rows of the table."""

    def __init__(self, installation: Installation, options: argparse.Namespace) -> None:
        keys = installation.access_key, installation.secret_key
        self.platform = Platform(installation.client(), installation.endpoint, *keys)
        self.pools = Pools(installation.account)
        self.installation = installation
        self.options = options
        self.pools.resize(0)
        self.platform.make(1, runtime=RUNTIME)  # a pool fills where a function may need it

    def quiet(self) -> list[Row]:
        """First calls from the pool while nothing else starts on the cluster."""
        self.pools.resize(4)
        self._first(128)  # connections between the platform's parts
        calls = [self._first(128) for _ in range(self.options.count)]
        return [(f"first call on an idle cluster, {len(calls)} calls", spread(calls))]

    def cold(self) -> list[Row]:
        """First calls from the pool and in pods of their own, by turns."""
        self.pools.resize(4)
        taken: dict[str, list[float]] = {"pool": [], "own": []}
        self._first(128)  # connections between the platform's parts
        for number in range(self.options.count):
            taken["pool"].append(self._first(128))
            if number % 2 == 0:
                taken["own"].append(self._first(OWN_POD))
        pool, own = taken["pool"], taken["own"]
        return [
            (f"first call from the pool, {len(pool)} calls", spread(pool)),
            (f"first call in a pod of its own, {len(own)} calls", spread(own)),
            ("own pod ÷ pool", f"p50 {median(own) / median(pool):.1f}, p95 {ratio95(own, pool)}"),
        ]

    def languages(self) -> list[Row]:
        """First calls from the pool of each language, and in pods of their own."""
        return [row for language in LANGUAGES for row in self._language(language)]

    def _language(self, language: Language) -> list[Row]:
        taken: dict[int, list[float]] = {128: [], OWN_POD: []}
        names = []  # kept: a pool prepares for what functions there are
        for number in range(self.options.count + 1):
            memory = 128 if number % 4 else OWN_POD
            name = f"fresh-{language.runtime.partition('.')[0]}-{number}"
            files, handler = language.files("echo"), language.handler("echo")
            self.platform.make_of(name, memory, language.runtime, handler, files)
            wait_until(lambda: bool(self.installation.generic(language.runtime)), "a pod waits")
            (first,) = self._call([name])
            names.append(name)
            if first.problem is None and number > 2:  # noqa: PLR2004  nobody knew the memory yet
                taken[memory].append(first.ms)
        self.platform.delete(names)
        pool, own = taken[128], taken[OWN_POD]
        return [
            (f"first call of {language.runtime} from the pool, {len(pool)} calls", spread(pool)),
            (f"in a pod of its own, {len(own)} calls", spread(own)),
        ]

    def bursts(self) -> list[Row]:
        """Twenty calls to one cold function, and twenty fresh functions at once."""
        self.pools.resize(20)
        (name,) = self.platform.make(1, runtime=RUNTIME)
        same = self._call([name] * 20)
        self.platform.delete([name])
        self.pools.wait(20)
        distinct = self._fresh(20)
        return [
            ("20 calls at once to one cold function", outcome(same)),
            ("20 fresh functions at once, pool of 20", outcome(distinct)),
        ]

    def emptied(self) -> list[Row]:
        """A pool of 40 emptied at once, then twenty more while it is empty."""
        self.pools.resize(0)
        own = self._fresh(20, memory=OWN_POD)
        self.pools.resize(40)
        names = self.platform.make(60, runtime=RUNTIME)
        first = self._call(names[:40])
        more = self._call(names[40:])
        self.platform.delete(names)  # a node has no room for these and a full pool
        missing, began = 40 - self.pools.ready(), time.perf_counter()
        self.pools.wait_full(40)
        refill = missing / (time.perf_counter() - began)
        ratio = rate(first) / rate(own)
        return [
            ("20 functions at once, each in a pod of its own", with_rate(own)),
            ("40 fresh functions at once, pool of 40", with_rate(first)),
            ("this rate ÷ the rate of own pods", f"{ratio:.1f}"),
            ("20 more at once, the pool is empty", with_rate(more)),
            (f"refill of the {missing} pods that were still missing", f"{refill:.1f} a second"),
        ]

    def starvation(self) -> list[Row]:
        """The first call of B alone, and while A needs twenty environments at once."""
        alone, beside = [], []
        for _ in range(self.options.rounds):
            self.pools.resize(24)
            alone += [first.ms for first in self._fresh(1)]
            self.pools.wait(24)
            (a,) = self.platform.make(1, runtime=RUNTIME, source=SLOW)
            (b,) = self.platform.make(1, runtime=RUNTIME)
            time.sleep(self.options.quiet)
            calls = self._call([a] * 20 + [b], stagger=0.02)
            beside.append(calls[-1].ms)
            self.platform.delete([a, b])
        return [
            ("first call of B alone", spread(alone)),
            ("first call of B, 20 ms after 20 calls to a cold A", spread(beside)),
            ("with A ÷ alone, p50", f"{median(beside) / median(alone):.2f}"),
        ]

    def packages(self) -> list[Row]:
        """First calls of a function with much source, compiled by the operator or in its pod."""
        self.pools.resize(4)
        plain, compiled = [], []
        for _ in range(self.options.rounds):
            plain += [one.ms for one in self._fresh(1, source=ECHO + LIBRARY)]
            own = self._fresh(1, source=COMPILED + ECHO + LIBRARY, runtime=COMPILED_RUNTIME)
            if any(one.problem for one in own):
                sys.exit("not compiled when it was deployed")
            compiled += [one.ms for one in own]
        return [
            (f"first call with {len(LIBRARY) // 1000} kB of source", spread(plain)),
            ("the same, compiled when it was deployed", spread(compiled)),
            (
                "compiled at the first call ÷ when deployed",
                f"{median(plain) / median(compiled):.1f}",
            ),
        ]

    def step(self) -> list[Row]:
        """From nothing to fifty calls at once, ten environments a pod."""
        self.pools.resize(8)
        (name,) = self.platform.make(1, runtime=RUNTIME, source=SLOW)
        self._share(name, SHARED)
        calls = self._call([name] * STEP)
        pods = len(self.installation.pods(name))
        self.platform.delete([name])
        waited = [one.ms - 1000 for one in calls]
        return [
            (
                f"step from 0 to {STEP} calls of 1 s each, {SHARED} environments a pod",
                outcome(calls),
            ),
            ("until each had its environment", f"{spread(waited)}, {pods} pods"),
        ]

    def _share(self, name: str, count: int) -> None:
        """Let environments of a function share pods, and wait until that is served."""
        patch = json.dumps({"spec": {"environmentsPerPod": count}})
        account = self.installation.account
        kubectl("patch", "fn", name, "-n", account, "--type", "merge", "-p", patch)
        wait_until(
            lambda: (
                self.installation.function(name)["status"]["configuration"]["environmentsPerPod"]
                == count
            ),
            "environments share pods",
        )

    def idle(self) -> list[Row]:
        """CPU of the platform with a hundred functions that nobody calls."""
        names = self.platform.make(100, runtime=RUNTIME)
        self.pools.resize(1)
        time.sleep(self.options.idle_seconds / 2)
        before, began = cpu_seconds(self.installation.namespace), time.monotonic()
        time.sleep(self.options.idle_seconds)
        after, took = cpu_seconds(self.installation.namespace), time.monotonic() - began
        self.platform.delete(names)
        return [
            (f"{name} idle with 100 functions", f"{(after[name] - used) / took:.2%} of a core")
            for name, used in sorted(before.items())
        ]

    def memory(self) -> list[Row]:
        """Proportional set sizes of idle pods against a functions-framework process."""
        self.pools.resize(10)
        (name,) = self.platform.make(1, runtime=RUNTIME)
        generic = [megabytes(processes(pod["metadata"]["uid"])) for pod in self.pools.pods()]
        self._call([name])
        time.sleep(self.options.quiet)
        (pod,) = self.installation.pods(name)
        special = megabytes(processes(pod["metadata"]["uid"]))
        self.platform.delete([name])
        shared = self._shared_megabytes() / SHARED
        framework = framework_megabytes()
        with_boto3 = framework_megabytes("framework_boto3.py")
        return [
            ("idle generic pod, one of ten, PSS", f"{median(generic):.1f} MB"),
            ("pod with one idle environment, PSS", f"{special:.1f} MB"),
            (f"one of {SHARED} idle environments that share a pod, PSS", f"{shared:.1f} MB"),
            ("one functions-framework, PSS", f"{framework:.1f} MB"),
            ("one that has imported boto3, as a generic pod has, PSS", f"{with_boto3:.1f} MB"),
            ("functions-framework ÷ generic pod", f"{framework / median(generic):.2f}"),
            ("functions-framework with boto3 ÷ generic pod", f"{with_boto3 / median(generic):.2f}"),
            ("functions-framework ÷ pod with an environment", f"{framework / special:.2f}"),
            ("functions-framework ÷ shared environment", f"{framework / shared:.2f}"),
        ]

    def _shared_megabytes(self) -> float:
        """Return the memory of a pod with as many idle environments as may share it."""
        (name,) = self.platform.make(1, runtime=RUNTIME, source=SLOW)
        self._share(name, SHARED)
        self._call([name] * SHARED)
        time.sleep(self.options.quiet)
        (pod,) = self.installation.pods(name)
        shared = megabytes(processes(pod["metadata"]["uid"]))
        self.platform.delete([name])
        return shared

    def _first(self, memory: int) -> float:
        (first,) = self._fresh(1, memory=memory)
        self.pools.wait(4)
        return first.ms

    def _fresh(
        self, count: int, *, memory: int = 128, source: str = ECHO, runtime: str = RUNTIME
    ) -> list[First]:
        """Make so many functions, call all at once, delete them; all must be honest."""
        names = self.platform.make(count, memory=memory, runtime=runtime, source=source)
        firsts = self._call(names)
        self.platform.delete(names)
        if any(first.problem is None and first.init_ms is None for first in firsts):
            sys.exit("not an honest cold start: a REPORT line has no Init Duration")
        return firsts

    def _call(self, names: Sequence[str], *, stagger: float = 0.0) -> list[First]:
        time.sleep(self.options.quiet)
        calls = self.platform.call(names, stagger=stagger)
        for problem in {one.problem for one in calls if one.problem}:
            print(problem, file=sys.stderr)
        return calls


def median(samples: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(samples)


def p95(samples: Sequence[float]) -> float:
    """Return the 95th percentile."""
    if len(samples) == 1:
        return samples[0]
    return statistics.quantiles(samples, n=20, method="inclusive")[-1]


def ratio95(slow: Sequence[float], fast: Sequence[float]) -> str:
    """Compare the 95th percentiles."""
    return f"{p95(slow) / p95(fast):.1f}"


def spread(samples: Sequence[float]) -> str:
    """Say how milliseconds are distributed."""
    return f"p50 {median(samples):.1f} ms, p95 {p95(samples):.1f} ms, worst {max(samples):.1f} ms"


def outcome(calls: Sequence[First]) -> str:
    """Say how many failed and when the last was answered."""
    failed = sum(1 for one in calls if one.problem)
    return f"{failed} failed, {spread([one.ms for one in calls])}"


def rate(calls: Sequence[First]) -> float:
    """Return answers per second, from the first call to the last answer."""
    took = max(one.ended for one in calls) - min(one.began for one in calls)
    return sum(1 for one in calls if not one.problem) / took


def with_rate(calls: Sequence[First]) -> str:
    """Say what became of calls, and their rate."""
    return f"{outcome(calls)}; {rate(calls):.1f} a second"


def framework_megabytes(handler: str = "framework.py") -> float:
    """Return the memory of a functions-framework that has answered once."""
    target = functions_framework(handler)
    target.start()
    try:
        call(target.url)
        assert target.process is not None
        return megabytes([target.process.pid, *tree.descendants(target.process.pid)])
    finally:
        target.stop()


def table(rows: Sequence[Row], options: argparse.Namespace) -> str:
    """Return the table in Markdown."""
    load = os.getloadavg()
    command = f"python -m benchmarks.cluster {' '.join(options.parts)}"
    machine = f"{os.cpu_count()} cores, load average at the end {load[0]:.1f}"
    head = [f"{datetime.now(UTC).date()}, `{command}`, {machine}.", ""]
    head += ["| what | figure |", "| --- | --- |"]
    return "\n".join([*head, *(f"| {what} | {figure} |" for what, figure in rows)])


def told(rows: list[Row]) -> list[Row]:
    """Show rows as soon as they are there: the whole takes a quarter of an hour."""
    for row in rows:
        print(": ".join(row), file=sys.stderr, flush=True)
    return rows


PARTS: dict[str, Callable[[Capacity], list[Row]]] = {
    "quiet": Capacity.quiet,
    "cold": Capacity.cold,
    "languages": Capacity.languages,
    "bursts": Capacity.bursts,
    "emptied": Capacity.emptied,
    "starvation": Capacity.starvation,
    "packages": Capacity.packages,
    "step": Capacity.step,
    "idle": Capacity.idle,
    "memory": Capacity.memory,
}


def main() -> None:
    """Measure, print a table, and with `--write` put it into docs/performance.md."""
    options = _options()
    with installed() as installation:
        capacity = Capacity(installation, options)
        try:
            rows = [row for part in options.parts for row in told(PARTS[part](capacity))]
        finally:
            capacity.pools.remove()
    text = table(rows, options)
    print(text)
    if options.write:
        publish(MARKER, text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all unless named")
    parser.add_argument("--count", type=int, default=20, help="first calls from the pool")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the starvation part")
    parser.add_argument("--quiet", type=float, default=2.0, help="seconds before calls")
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.parts = options.parts or list(PARTS)
    return options


if __name__ == "__main__":
    main()
