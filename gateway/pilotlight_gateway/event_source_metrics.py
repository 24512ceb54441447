"""Metrics of event source mappings, after Lambda's (Developer Guide, "Event source mapping")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["EventSourceMetrics", "MappingMetrics"]

_LABELS = ("namespace", "mapping", "function")


@dataclass(frozen=True, slots=True)
class MappingMetrics:
    """What is counted of one mapping."""

    polled: Counter
    filtered: Counter
    invoked: Counter
    failed: Counter
    deleted: Counter
    dropped: Counter
    iterator_age: Gauge
    in_flight: Gauge


class EventSourceMetrics:
    """What is counted of all mappings."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(
                f"pilotlight_event_source_{name}_events", text, _LABELS, registry=registry
            )

        self._polled = counter("polled", "Records that were read from the source.")
        self._filtered = counter("filtered_out", "Records that no filter let through.")
        self._invoked = counter("invoked", "Records that a function was invoked with.")
        self._failed = counter(
            "failed_invoke", "Records whose invocation failed, or that it named."
        )
        self._deleted = counter("deleted", "Records that were deleted from a queue.")
        self._dropped = counter("dropped", "Records of a stream that were given up.")
        self._iterator_age = Gauge(
            "pilotlight_event_source_iterator_age_seconds",
            "Age of the last record of the batch that was invoked last.",
            _LABELS, registry=registry,
        )  # fmt: skip
        self._in_flight = Gauge(
            "pilotlight_event_source_in_flight_batches", "Batches whose function runs.",
            _LABELS, registry=registry,
        )  # fmt: skip

    def of(self, namespace: str, mapping: str, function: str) -> MappingMetrics:
        """Return those of a mapping, by its object's name and Lambda's name of the function."""
        labels = (namespace, mapping, function)
        return MappingMetrics(
            self._polled.labels(*labels),
            self._filtered.labels(*labels),
            self._invoked.labels(*labels),
            self._failed.labels(*labels),
            self._deleted.labels(*labels),
            self._dropped.labels(*labels),
            self._iterator_age.labels(*labels),
            self._in_flight.labels(*labels),
        )
