"""Metrics that count without a lock, for what every invocation passes: the page's text is the same.

Everything here is counted by the one thread of the event loop and read by it, so that an addition
is enough where prometheus-client's own metrics take a lock for each. What is counted seldom is
theirs (`metrics`).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

__all__ = ["Counted", "Counts", "Distribution", "Distributions", "Family"]


class Counted:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0
        """To be added to."""


class Distribution:
    """One series of a histogram."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Values up to each bound and above the one before; the last are above all."""
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, int]]:
        """Return the counts as they are exposed: of all values up to each bound."""
        names = [*map(floatToGoString, self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


Series = TypeVar("Series", Counted, Distribution)


class Family(Collector, Generic[Series]):
    """A metric and its series by their labels."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry
    ) -> None:
        self.name = name
        self.text = text
        self.label_names = tuple(labels)
        self._series: dict[tuple[str, ...], Series] = {}
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return what there is to count (prometheus-client's Collector)."""
        return self.collect()

    def labels(self, *values: str) -> Series:
        """Return the series of some labels' values, the same each time."""
        found = self._series.get(values)
        if found is None:
            found = self._series[values] = self._new()
        return found

    def _new(self) -> Series:
        raise NotImplementedError


class Counts(Family[Counted]):
    """A counter."""

    def collect(self) -> Iterable[Metric]:
        """Return what was counted (prometheus-client's Collector)."""
        family = CounterMetricFamily(self.name, self.text, labels=self.label_names)
        for values, one in list(self._series.items()):
            family.add_metric(values, one.value)
        return (family,)

    def _new(self) -> Counted:
        return Counted()


class Distributions(Family[Distribution]):
    """A histogram."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        registry: CollectorRegistry,
        bounds: Sequence[float],
    ) -> None:
        self._bounds = bounds
        super().__init__(name, text, labels, registry)

    def collect(self) -> Iterable[Metric]:
        """Return what was counted (prometheus-client's Collector)."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.label_names)
        for values, one in list(self._series.items()):
            family.add_metric(values, one.buckets(), one.total)
        return (family,)

    def _new(self) -> Distribution:
        return Distribution(self._bounds)
