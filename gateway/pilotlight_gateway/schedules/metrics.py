"""Metrics of schedules; a firing's invocation is counted where it is enqueued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Histogram

from pilotlight.resources import LATEST

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["ScheduleMetrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 900)


class ScheduleMetrics:
    """How late schedules fire."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Histogram(
            "pilotlight_schedule_lag_seconds", "From a time to its event.",
            ("namespace", "function", "version"), registry=registry, buckets=_SECONDS,
        )  # fmt: skip

    def fired(self, namespace: str, function: str, version: str, lag: float) -> None:
        """Count a firing, `lag` seconds after its time; `version` may be empty."""
        self._lag.labels(namespace, function, version or LATEST).observe(lag)
