"""The autoscaler's Prometheus metrics: pools, leases and starts that failed.

What a start took, and where an environment came from, the gateways measure: a lease carries it. In
the cluster the operator's port shows them, in local mode the gateway's own (one registry).
"""

from __future__ import annotations

from collections import Counter as Count
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pilotlight.claims import Lease

__all__ = ["AutoscalerMetrics"]


class AutoscalerMetrics:
    """What an autoscaler counts, in a registry of its own or in one that it shares."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.claims_refused = Counter(
            "pilotlight_claims_refused", "Claims that were refused, by the error's code.",
            ("namespace", "code"), registry=self.registry,
        )  # fmt: skip
        self.pool_starts_failed = Counter(
            "pilotlight_pool_starts_failed", "Generic pods that did not start.",
            ("namespace", "runtime"), registry=self.registry,
        )  # fmt: skip
        self.pod_seconds = Histogram(
            "pilotlight_pod_start_seconds",
            "From a pod's creation until its agent answers, for a function or for the pool.",
            ("kind",), registry=self.registry, buckets=(0.5, 1, 2, 4, 8, 15, 30, 60),
        )  # fmt: skip
        self._starting = Gauge(
            "pilotlight_pods_starting",
            "Pods that are being made: starting, or pending where nothing has room.",
            ("namespace", "state"), registry=self.registry,
        )  # fmt: skip
        self._creations = Gauge(
            "pilotlight_pod_creations",
            "The budget of pods in creation: turns taken, waited for, and how many there are.",
            ("state",), registry=self.registry,
        )  # fmt: skip
        self._leases = Gauge(
            "pilotlight_leases", "Environments that gateways hold.", ("namespace",),
            registry=self.registry,
        )  # fmt: skip
        self._tenants = Gauge(
            "pilotlight_tenants", "Tenants that have environments, of functions that isolate them.",
            ("namespace", "function"), registry=self.registry,
        )  # fmt: skip
        self._pool_pods = Gauge(
            "pilotlight_pool_pods", "Generic pods, ready or starting.",
            ("namespace", "runtime", "state"), registry=self.registry,
        )  # fmt: skip

    def measure_leases(self, leases: Iterable[Lease]) -> None:
        """Take note of all leases that there are."""
        revisions = [lease.revision for lease in leases]
        self._leases.clear()
        for namespace, count in Count(one.namespace for one in revisions).items():
            self._leases.labels(namespace).set(count)
        tenants = {(one.namespace, one.function, one.tenant) for one in revisions if one.tenant}
        self._tenants.clear()
        for function, count in Count((key[0], key[1]) for key in tenants).items():
            self._tenants.labels(*function).set(count)

    def measure_starting(self, pods: Mapping[tuple[str, str], int]) -> None:
        """Take note of the pods that are being made, by namespace and state."""
        self._starting.clear()
        for key, count in pods.items():
            self._starting.labels(*key).set(count)

    def measure_creations(self, running: int, waiting: int, limit: int) -> None:
        """Take note of the budget of pods in creation."""
        for state, count in (("taken", running), ("waiting", waiting), ("limit", limit)):
            self._creations.labels(state).set(count)

    def measure_pools(self, sizes: Iterable[tuple[str, str, int, int]]) -> None:
        """Take note of each pool: namespace, runtime, ready and starting pods."""
        self._pool_pods.clear()
        for namespace, runtime, ready, starting in sizes:
            self._pool_pods.labels(namespace, runtime, "ready").set(ready)
            self._pool_pods.labels(namespace, runtime, "starting").set(starting)
