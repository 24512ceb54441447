"""Metrics that functions print (CloudWatch's embedded metric format), on the page of metrics.

The log sink brings every line that it takes; `embedded_format` reads those that measure something.
Each set of dimensions is a series of one summary: `_count` and `_sum` of its values, which is what
CloudWatch's SampleCount, Sum and Average are made of. Functions choose the labels, so there are
bounds: series for each function and account, and work for each function and second. What is beyond
them is counted, stays a log line, and holds nobody up.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, defaultdict
from typing import TYPE_CHECKING

from prometheus_client.core import SummaryMetricFamily
from prometheus_client.registry import Collector

from pilotlight_gateway.counting import Counts

from .embedded_format import EmbeddedFormatError, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from pilotlight.storage import LogLine

    from .embedded_format import Measurement

__all__ = ["EmbeddedMetrics"]

MOST_OF_FUNCTION = 500
"""Series."""
MOST_OF_ACCOUNT = 2000
"""Series of the functions of a namespace."""
IDLE_SECONDS = 3600.0
"""After which a series goes where another wants its place."""
MOST_A_SECOND = 20_000
"""Values and metrics of a function."""

_Key = tuple[str, str, str, str, tuple[tuple[str, str], ...]]


class _Series:
    __slots__ = ("count", "last", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.last = 0.0
        """When it was added to."""


class EmbeddedMetrics(Collector):
    """What all functions measured of themselves, in this gateway."""

    name = "pilotlight_embedded_metric"
    text = "Values that functions printed in CloudWatch's embedded metric format."
    label_names = (
        "namespace", "function", "metric_namespace", "metric", "unit", "dimension_*",
    )  # fmt: skip
    """The last stands for a label of each dimension."""

    def __init__(
        self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._accounts: defaultdict[str, OrderedDict[_Key, _Series]] = defaultdict(OrderedDict)
        """By namespace; what was added to longest ago is first."""
        self._held: Counter[tuple[str, str]] = Counter()
        """Series, by namespace and function."""
        self._second = 0
        self._work: Counter[tuple[str, str]] = Counter()
        """Of this second."""
        self._refused = Counts(
            "pilotlight_embedded_metrics_refused",
            "Lines in the embedded metric format that are no metrics: invalid, or beyond a limit.",
            ("namespace", "function", "reason"),
            registry,
        )
        registry.register(self)

    def take(self, lines: Sequence[LogLine]) -> None:
        """Count what lines measure."""
        for line in lines:
            try:
                measured = read(line.message)
            except EmbeddedFormatError:
                self._refuse(line, "invalid")
                continue
            if measured and not self._has_time(line, measured):
                self._refuse(line, "rate")
            elif sum(not self._add(line, one) for one in measured):
                self._refuse(line, "series")

    def describe(self) -> Iterable[Metric]:
        """Return what there is to count (prometheus-client's Collector)."""
        return (SummaryMetricFamily(self.name, self.text),)

    def collect(self) -> Iterable[Metric]:
        """Return what was counted (prometheus-client's Collector)."""
        family = SummaryMetricFamily(self.name, self.text)
        for namespace, account in self._accounts.items():
            for (function, of, metric, unit, dimensions), series in account.items():
                values = (namespace, function, of, metric, unit)
                labels = dict(zip(self.label_names, values, strict=False)) | dict(dimensions)
                family.add_sample(f"{self.name}_count", labels, series.count)
                family.add_sample(f"{self.name}_sum", labels, series.total)
        return (family,)

    def _refuse(self, line: LogLine, reason: str) -> None:
        self._refused.labels(line.namespace, line.function, reason).value += 1

    def _has_time(self, line: LogLine, measured: list[Measurement]) -> bool:
        """Say whether this second has time left for a function's line."""
        second, function = int(self._clock()), (line.namespace, line.function)
        if second != self._second:
            self._second = second
            self._work.clear()
        self._work[function] += len(measured) + sum(len(one.values) for one in measured)
        return self._work[function] <= MOST_A_SECOND

    def _add(self, line: LogLine, one: Measurement) -> bool:
        """Add to a metric's series, and say whether there is one or place for one."""
        account = self._accounts[line.namespace]
        key = (line.function, *one[:4])
        series = account.get(key)
        if series is None:
            if not self._has_place(line):
                return False
            series = account[key] = _Series()
            self._held[line.namespace, line.function] += 1
        account.move_to_end(key)
        series.last = self._clock()
        series.count += len(one.values)
        series.total += sum(one.values)
        return True

    def _has_place(self, line: LogLine) -> bool:
        account, now = self._accounts[line.namespace], self._clock()
        while account and next(iter(account.values())).last < now - IDLE_SECONDS:
            (function, *_), _ = account.popitem(last=False)
            self._held[line.namespace, function] -= 1
        full = self._held[line.namespace, line.function] >= MOST_OF_FUNCTION
        return not full and len(account) < MOST_OF_ACCOUNT
