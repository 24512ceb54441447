"""The gateway's Prometheus metrics: base units, labels that stay bounded (design, section 9).

One registry for all parts; what each part counts is in its own `metrics` module.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from .counting import Counts
from .event_source_metrics import EventSourceMetrics
from .events.metrics import EventMetrics
from .invocation.cold_starts import ColdStarts
from .invocation.metrics import InvocationMetrics
from .logs.embedded_metrics import EmbeddedMetrics
from .schedules.metrics import ScheduleMetrics

__all__ = ["Metrics"]

_HUNDREDS = tuple(f"{hundreds}xx" for hundreds in range(10))

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """All metrics of one gateway, in a registry of their own or in one that is shared."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.invocations = InvocationMetrics(self.registry)
        self.cold_starts = ColdStarts(self.registry)
        self.events = EventMetrics(self.registry)
        self.event_sources = EventSourceMetrics(self.registry)
        self.schedules = ScheduleMetrics(self.registry)
        self.embedded = EmbeddedMetrics(self.registry)
        self._http_requests = Counts(
            "pilotlight_http_requests", "Requests of clients, by what answered and how.",
            ("handler", "method", "status"), self.registry,
        )  # fmt: skip
        self.environments = Gauge(
            "pilotlight_environments", "Environments held, by state.",
            ("namespace", "function", "state"), registry=self.registry,
        )  # fmt: skip
        self.budget_used = Gauge(
            "pilotlight_budget_used_ratio", "How much of a budget of bytes in memory is in use.",
            ("budget",), registry=self.registry,
        )  # fmt: skip
        self.log_lines_dropped = Gauge(
            "pilotlight_log_lines_dropped", "Log lines the store did not take in time.",
            registry=self.registry,
        )  # fmt: skip

    def answered_http(self, handler: Literal["api", "site"], method: str, status: int) -> None:
        """Count a request: of the Lambda API and `/-/`, or of a function URL or a route."""
        known = method if method in _METHODS else "other"
        self._http_requests.labels(handler, known, _HUNDREDS[status // 100]).value += 1

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)
