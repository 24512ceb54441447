"""The gateway's Prometheus metrics: base units, labels that stay bounded (design, section 9).

One registry for all parts; what each part counts is in its own `metrics` module.
"""

from __future__ import annotations

import functools
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from .event_source_metrics import EventSourceMetrics
from .events.metrics import EventMetrics
from .invocation.cold_starts import ColdStarts
from .invocation.metrics import InvocationMetrics
from .schedules.metrics import ScheduleMetrics

__all__ = ["Metrics"]

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
        self._http_requests = Counter(
            "pilotlight_http_requests", "Requests of clients, by what answered and how.",
            ("handler", "method", "status"), registry=self.registry,
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
        self._http_requests_of(handler, known, status // 100).inc()

    @functools.lru_cache(maxsize=1_000)  # noqa: B019  lives as long as the gateway
    def _http_requests_of(self, handler: str, method: str, hundreds: int) -> Counter:
        return self._http_requests.labels(handler, method, f"{hundreds}xx")

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)
