"""Metrics of events, after AWS Lambda Developer Guide, "Types of metrics".

`invocation.metrics` counts those that are accepted; `reason` is one of the few words that `decide`
and the handler know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["EventMetrics"]

_LABELS = ("namespace", "function")
_AGES = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 180, 600, 3600, 21_600)


class EventMetrics:
    """What happened to events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *more: str) -> Counter:
            return Counter(f"pilotlight_async_{name}", text, (*_LABELS, *more), registry=registry)

        self._retries = counter("event_retries", "Attempts that are tried again.", "reason")
        self._dropped = counter("events_dropped", "Events that ended without success.", "reason")
        self._dead = counter("dead_letters", "Events kept as dead letters.", "reason")
        self._undelivered = counter(
            "destination_delivery_failures", "Records that a destination did not take.", "kind"
        )
        self._age = Histogram(
            "pilotlight_async_event_age_seconds", "From acceptance to the start of a try.",
            _LABELS, registry=registry, buckets=_AGES,
        )  # fmt: skip
        self._queued = Gauge(
            "pilotlight_async_queued_events", "Events in the queue of all gateways, by state.",
            ("state",), registry=registry,
        )  # fmt: skip
        self._overdue = Gauge(
            "pilotlight_async_longest_overdue_seconds",
            "How long the event that has been due longest has waited for a gateway.",
            registry=registry,
        )  # fmt: skip
        self._database_up = Gauge(
            "pilotlight_database_up", "1 where the queue's database answered when last asked.",
            registry=registry,
        )  # fmt: skip

    def started(self, namespace: str, function: str, age: float) -> None:
        """Note how old an event is when it is tried."""
        self._age.labels(namespace, function).observe(max(0.0, age))

    def retried(self, namespace: str, function: str, reason: str) -> None:
        """Count an attempt that is tried again."""
        self._retries.labels(namespace, function, reason).inc()

    def dropped(self, namespace: str, function: str, reason: str) -> None:
        """Count an event that ended without success, wherever it is told."""
        self._dropped.labels(namespace, function, reason).inc()

    def died(self, namespace: str, function: str, reason: str) -> None:
        """Count an event that is kept as a dead letter."""
        self._dead.labels(namespace, function, reason).inc()

    def queue_has(self, *, waiting: int, in_flight: int, dead: int, overdue: float) -> None:
        """Take note of what stands in the queue."""
        for state, count in (("waiting", waiting), ("in_flight", in_flight), ("dead", dead)):
            self._queued.labels(state).set(count)
        self._overdue.set(overdue)
        self._database_up.set(1)

    def queue_did_not_answer(self) -> None:
        """Take note that nobody knows what stands in the queue."""
        self._queued.clear()
        self._database_up.set(0)

    def undelivered(self, namespace: str, function: str, kind: str) -> None:
        """Count a record that a destination did not take."""
        self._undelivered.labels(namespace, function, kind).inc()
