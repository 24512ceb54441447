"""The gateway's Prometheus metrics: base units, labels that stay bounded (design, section 9).

Functions are created by admins, so namespace and function are bounded; request ids never are.
Children are kept per function: looking a label set up costs more than counting.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pilotlight.resources import LATEST

from .events.metrics import AsynchronousMetrics
from .invocation.cold_starts import ColdStarts

if TYPE_CHECKING:
    from pilotlight_wire.report import Report

__all__ = ["FunctionMetrics", "Metrics"]

_LABELS = ("namespace", "function", "version")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 900)


@dataclass(frozen=True, slots=True)
class FunctionMetrics:
    """One function's metrics."""

    invocations: Counter
    errors: Counter
    duration: Histogram
    overhead: Histogram
    init: Histogram
    billed_milliseconds: Counter
    billed_gigabyte_seconds: Counter

    def answered(self, report: Report | None, *, failed: bool, elapsed: float) -> None:
        """Count an invocation that was answered after `elapsed` seconds here."""
        self.invocations.inc()
        if failed:
            self.errors.inc()
        if report is None:
            return
        seconds = report.duration_ms / 1000
        self.duration.observe(seconds)
        init = (report.init_duration_ms or 0.0) / 1000
        self.overhead.observe(max(0.0, elapsed - seconds - init))
        if report.init_duration_ms is not None:
            self.init.observe(init)
        self.billed_milliseconds.inc(report.billed_ms)
        gigabytes = report.memory_size_mb / 1024
        self.billed_gigabyte_seconds.inc(report.billed_ms / 1000 * gigabytes)


class Metrics:
    """All metrics of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.cold_starts = ColdStarts(self.registry)
        self.asynchronous = AsynchronousMetrics(self.registry)
        self._invocations = self._counter("invocations", "Invocations that were answered.")
        self._errors = self._counter("errors", "Invocations that ended in a function error.")
        self._billed = self._counter("billed_milliseconds", "Billed duration.")
        self._billed_gigabyte_seconds = self._counter(
            "billed_gigabyte_seconds", "Billed duration times memory."
        )
        self._throttles = Counter(
            "pilotlight_throttles", "Invocations refused by a limit.",
            (*_LABELS, "reason"), registry=self.registry,
        )  # fmt: skip
        self._duration = self._histogram("invocation_duration", "Time in the function.")
        self._overhead = self._histogram("platform_overhead", "Time beside the function.")
        self._schedule_lag = self._histogram("schedule_lag", "From a time to its event.")
        self._init = self._histogram("init_duration", "Init phases of cold starts.")
        self._http_requests = Counter(
            "pilotlight_http_requests", "Requests of clients, by what answered and how.",
            ("handler", "method", "status"), registry=self.registry,
        )  # fmt: skip
        self.environments = Gauge(
            "pilotlight_environments", "Environments held, by state.",
            ("namespace", "function", "state"), registry=self.registry,
        )  # fmt: skip
        self.log_lines_dropped = Gauge(
            "pilotlight_log_lines_dropped", "Log lines the store did not take in time.",
            registry=self.registry,
        )  # fmt: skip

    @functools.lru_cache(maxsize=10_000)  # noqa: B019  lives as long as the gateway
    def of(self, namespace: str, function: str, version: str) -> FunctionMetrics:
        """Give one function's metrics."""
        labels = (namespace, function, version)
        return FunctionMetrics(
            self._invocations.labels(*labels),
            self._errors.labels(*labels),
            self._duration.labels(*labels),
            self._overhead.labels(*labels),
            self._init.labels(*labels),
            self._billed.labels(*labels),
            self._billed_gigabyte_seconds.labels(*labels),
        )

    def throttled(self, namespace: str, function: str, version: str, reason: str) -> None:
        """Count an invocation that a limit refused."""
        self._throttles.labels(namespace, function, version, reason).inc()

    def schedule_fired(self, namespace: str, function: str, version: str, lag: float) -> None:
        """Count a schedule's firing, `lag` seconds after its time."""
        self._schedule_lag.labels(namespace, function, version or LATEST).observe(lag)

    def answered_http(self, handler: Literal["api", "site"], method: str, status: int) -> None:
        """Count a request: of the Lambda API and `/-/`, or of a function URL or a route."""
        known = method if method in _METHODS else "other"
        self._http_requests_of(handler, known, status // 100).inc()

    @functools.lru_cache(maxsize=1_000)  # noqa: B019  lives as long as the gateway
    def _http_requests_of(self, handler: str, method: str, hundreds: int) -> Counter:
        return self._http_requests.labels(handler, method, f"{hundreds}xx")

    def render(self) -> bytes:
        """Give the exposition text."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"pilotlight_{name}", text, _LABELS, registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(
            f"pilotlight_{name}_seconds", text, _LABELS, registry=self.registry, buckets=_SECONDS
        )
