"""The autoscaler's Prometheus metrics: pools, leases and starts that failed.

What a start took, and where an environment came from, the gateways measure: a lease carries it.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge

__all__ = ["CLAIMS_REFUSED", "LEASES", "POOL_PODS", "POOL_STARTS_FAILED"]

LEASES = Gauge("pilotlight_leases", "Environments that gateways hold.", ("namespace",))
CLAIMS_REFUSED = Counter(
    "pilotlight_claims_refused", "Claims that were refused, by the error's code.",
    ("namespace", "code"),
)  # fmt: skip
POOL_PODS = Gauge(
    "pilotlight_pool_pods", "Generic pods, ready or starting.", ("namespace", "runtime", "state")
)
POOL_STARTS_FAILED = Counter(
    "pilotlight_pool_starts_failed", "Generic pods that did not start.", ("namespace", "runtime")
)
